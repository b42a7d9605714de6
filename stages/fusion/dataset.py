"""Crystals with a text and target values, read from the tables of earlier stages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.fusion.redaction import without_target
from stages.shared.errors import StageError
from stages.shared.graphs import CrystalGraph, read_inputs
from stages.shared.params import EncoderParams, TargetParams
from stages.shared.schemas import SCALAR_PROPERTIES, SPLITS
from stages.shared.tables import read_table

_VIEW_NAMES = {"robocrystallographer": "robocrystallographer", "narrative": "original"}


@dataclass(frozen=True)
class LabelledCrystal:
    """One example of the regression.

    Attributes:
        graph: the crystal.
        text: what may be read about it; empty where nothing is written.
        values: (n_targets,) the target and then the auxiliary ones, each in its unit; None where unknown, which the
            first is in the train split only.
        split: `train`, `val` or `test`.
    """

    graph: CrystalGraph
    text: str
    values: tuple[float | None, ...]
    split: str

    @property
    def value(self) -> float | None:
        """The target, in its unit; None for a crystal that is there for the sake of auxiliary targets."""
        return self.values[0]


def learned_targets(
    target: str, auxiliary: Mapping[str, Sequence[str]], known: Mapping[str, TargetParams]
) -> dict[str, Sequence[str]]:
    """Return what is learned, the target first, and for each the words that betray it.

    Args:
        target: what is to be predicted.
        auxiliary: what is learned along with it, with its words; `target` itself may be among them.
        known: the `targets` section.

    Raises:
        StageError: the target is not in params.yaml, or an auxiliary one is no property of crystals.
    """
    if target not in known:
        raise StageError(f"{target} is not among the targets of params.yaml: {', '.join(known)}")
    for name in auxiliary:
        if name not in SCALAR_PROPERTIES:
            names = ", ".join(SCALAR_PROPERTIES)
            raise StageError(f"fusion.auxiliary_targets holds {name}, which is not among the properties: {names}")
    return {target: known[target].mentions} | {name: auxiliary[name] for name in auxiliary if name != target}


def read_labelled(
    data: Path, targets: Mapping[str, Sequence[str]], text: str, encoder: EncoderParams
) -> list[LabelledCrystal]:
    """Return all labelled crystals that the graph tower can read, by split, then by material_id.

    A crystal is labelled when it has a value of the first target; in the train split a value of any target suffices.
    No text speaks of any of the targets.

    Args:
        data: the pipeline's data folder.
        targets: scalar columns of crystals.parquet with the words that betray them, what is to be predicted first.
        text: `robocrystallographer`, or `narrative` for the narrative where there is one and else the former.
        encoder: the graph tower.
    """
    columns = read_table(data / "crystals.parquet", ["material_id", *targets]).to_pydict()
    rows = zip(*(columns[target] for target in targets), strict=True)
    values = dict(zip(columns["material_id"], rows, strict=True))
    texts = _readable_texts(data, text)
    examples = []
    for split in SPLITS:
        for graph in read_inputs(data, split, encoder):
            known = values[graph.material_id]
            if known[0] is not None or (split == "train" and any(value is not None for value in known)):
                redacted = texts.get(graph.material_id, "")
                for mentions, value in zip(targets.values(), known, strict=True):
                    redacted = without_target(redacted, mentions, value)
                examples.append(LabelledCrystal(graph, redacted, known, split))
    return examples


def _readable_texts(data: Path, text: str) -> dict[str, str]:
    """Return one text per material: the preferred view where there is one, else the robocrystallographer view."""
    texts: dict[str, str] = {}
    for row in read_table(data / "narratives.parquet").to_pylist():
        preferred = row["view"] == _VIEW_NAMES[text]
        if preferred or (row["view"] == "robocrystallographer" and row["material_id"] not in texts):
            texts[row["material_id"]] = row["text"]
    return texts
