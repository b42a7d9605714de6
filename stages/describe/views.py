"""The texts of a crystal by view: its narrative, paragraphs of papers, and robocrystallographer's description."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from stages.shared.structures import structure_from_cif

if TYPE_CHECKING:
    from stages.describe.papers import PaperTexts
    from stages.describe.robocrystallographer import Robocrystallographer

ORIGINAL = "original"
PAPER = "paper"
ROBOCRYSTALLOGRAPHER = "robocrystallographer"


@dataclass(frozen=True)
class View:
    """One text of one crystal."""

    material_id: str
    view: str
    text: str


@dataclass(frozen=True)
class Undescribed:
    """A crystal without a robocrystallographer text, and why."""

    material_id: str
    reason: str


def delivered_views(crystal: Mapping[str, Any]) -> Iterator[View]:
    """Yield the views that came with a crystal, in the order of their names.

    Args:
        crystal: a row with `material_id`, `narrative`, `explanation` and `description`, texts or null. An explanation
            follows its narrative and is no view without one; blank texts count as null.
    """
    narrative, explanation, description = (
        (crystal[column] or "").strip() for column in ("narrative", "explanation", "description")
    )
    if narrative:
        yield View(crystal["material_id"], ORIGINAL, f"{narrative} {explanation}".strip())
    if description:
        yield View(crystal["material_id"], ROBOCRYSTALLOGRAPHER, description)


def all_views(crystal: Mapping[str, Any], papers: "PaperTexts") -> list[View]:
    """Return the views that came with a crystal and the paragraphs of papers on it, in the order of their names.

    Args:
        crystal: as `delivered_views` takes it, and `formula`, reduced.
        papers: asked for the crystal's material_id and formula.
    """
    texts = papers.of(crystal["material_id"], crystal["formula"])
    views = [*delivered_views(crystal), *(View(crystal["material_id"], PAPER, text) for text in texts)]
    return sorted(views, key=lambda view: view.view)


def summary(counts: Mapping[str, int], n_rejected: int, n_unused: int) -> Iterator[str]:
    """Yield plain sentences on what became of the crystals.

    Args:
        counts: the number of `crystals`, and by name that of the views that came with them.
        n_rejected: crystals without a robocrystallographer text.
        n_unused: rows of papers that belong to no crystal.
    """
    delivered = counts.get(ROBOCRYSTALLOGRAPHER, 0)
    yield (
        f"{counts.get('crystals', 0)} crystals = {delivered} delivered with a description + "
        f"{counts.get('crystals', 0) - delivered - n_rejected} described here + {n_rejected} rejected; "
        f"{counts.get(ORIGINAL, 0)} have a narrative"
    )
    if counts.get(PAPER) or n_unused:
        yield f"{counts.get(PAPER, 0)} texts of papers go to a crystal; {n_unused} rows of papers are not used"


def describe_cif(crystal: tuple[str, str]) -> View | Undescribed:
    """Describe one crystal, given as `(material_id, cif)`, with robocrystallographer."""
    # imported here because it takes seconds, which a run with nothing to describe need not pay
    from stages.describe.robocrystallographer import DescriptionError

    material_id, cif = crystal
    try:
        structure = structure_from_cif(cif)
    except ValueError as error:
        return Undescribed(material_id, f"the CIF cannot be read: {error}")
    try:
        return View(material_id, ROBOCRYSTALLOGRAPHER, _robocrystallographer().describe(structure))
    except DescriptionError as error:
        return Undescribed(material_id, str(error))


@cache
def _robocrystallographer() -> "Robocrystallographer":
    """Return the one `Robocrystallographer` of this worker process."""
    from stages.describe.robocrystallographer import Robocrystallographer

    return Robocrystallographer()
