"""Crystals with a text and a target value, read from the tables of earlier stages."""

from dataclasses import dataclass
from pathlib import Path

from stages.fusion.redaction import without_target
from stages.shared.graphs import CrystalGraph, read_graphs
from stages.shared.params import TargetParams
from stages.shared.schemas import SPLITS
from stages.shared.tables import read_table

_VIEW_NAMES = {"robocrystallographer": "robocrystallographer", "narrative": "original"}


@dataclass(frozen=True)
class LabelledCrystal:
    """One example of the regression.

    Attributes:
        graph: the crystal.
        text: what may be read about it; empty where nothing is written.
        value: the target, in its unit.
        split: `train`, `val` or `test`.
    """

    graph: CrystalGraph
    text: str
    value: float
    split: str


def read_labelled(data: Path, target: str, target_params: TargetParams, text: str) -> list[LabelledCrystal]:
    """Return all crystals that have a graph and a value of the target, by split, then by material_id.

    Args:
        data: the pipeline's data folder.
        target: a scalar column of crystals.parquet.
        target_params: which words betray the target.
        text: `robocrystallographer`, or `narrative` for the narrative where there is one and else the former.
    """
    columns = read_table(data / "crystals.parquet", ["material_id", target]).to_pydict()
    values = dict(zip(columns["material_id"], columns[target], strict=True))
    texts = _readable_texts(data, text)
    examples = []
    for split in SPLITS:
        for graph in read_graphs(data / "graphs" / f"{split}.parquet"):
            value = values[graph.material_id]
            if value is not None:
                raw = texts.get(graph.material_id, "")
                redacted = without_target(raw, target_params.mentions, value)
                examples.append(LabelledCrystal(graph, redacted, value, split))
    return examples


def _readable_texts(data: Path, text: str) -> dict[str, str]:
    """Return one text per material: the preferred view where there is one, else the robocrystallographer view."""
    texts: dict[str, str] = {}
    for row in read_table(data / "narratives.parquet").to_pylist():
        preferred = row["view"] == _VIEW_NAMES[text]
        if preferred or (row["view"] == "robocrystallographer" and row["material_id"] not in texts):
            texts[row["material_id"]] = row["text"]
    return texts
