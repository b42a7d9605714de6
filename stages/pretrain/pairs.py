"""Pairs of crystal and text, read from the tables of earlier stages."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.shared.graphs import CrystalGraph, read_inputs
from stages.shared.params import EncoderParams
from stages.shared.tables import read_table


@dataclass(frozen=True)
class CrystalText:
    """A crystal with all that is written about it.

    Attributes:
        graph: the crystal.
        texts: one text per view, the narrative (`original`) first where there is one; at least one.
        fingerprint: equal for crystals that are the same structure.
    """

    graph: CrystalGraph
    texts: tuple[str, ...]
    fingerprint: str


def read_pairs(data: Path, split: str, encoder: EncoderParams) -> list[CrystalText]:
    """Return the crystals of a split that have a text and what the graph tower reads, sorted by material_id.

    Args:
        data: the pipeline's data folder.
        split: `train` or `val`.
        encoder: the graph tower.
    """
    texts: dict[str, list[str]] = defaultdict(list)
    for row in read_table(data / "narratives.parquet").to_pylist():  # sorted by (material_id, view)
        texts[row["material_id"]].append(row["text"])
    crystals = read_table(data / "crystals.parquet", ["material_id", "fingerprint"]).to_pydict()
    fingerprints = dict(zip(crystals["material_id"], crystals["fingerprint"], strict=True))
    return [
        CrystalText(graph, tuple(texts[graph.material_id]), fingerprints[graph.material_id])
        for graph in read_inputs(data, split, encoder)
        if texts[graph.material_id]
    ]


def same_meaning(pairs: list[CrystalText]) -> np.ndarray:
    """Return (n, n) True where two pairs show the same structure or share a text: neither is wrong for the other.

    Args:
        pairs: the crystals of a batch.
    """
    same = np.array([[a.fingerprint == b.fingerprint for b in pairs] for a in pairs])
    shared_text = np.array([[not set(a.texts).isdisjoint(b.texts) for b in pairs] for a in pairs])
    return same | shared_text
