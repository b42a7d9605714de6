"""The texts of a crystal by view: the narrative it came with, and robocrystallographer's description."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from stages.shared.structures import structure_from_cif

if TYPE_CHECKING:
    from stages.describe.robocrystallographer import Robocrystallographer

ORIGINAL = "original"
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
