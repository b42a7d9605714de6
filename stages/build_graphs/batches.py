"""From a batch of crystals to a batch of graphs: columns are cheaper to hand from process to process than rows."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from stages.build_graphs.graphs import CrystalEntry, GraphRejection, graph_row
from stages.build_graphs.neighbors import Selection
from stages.shared.schemas import GRAPHS_SCHEMA, SPLITS
from stages.shared.tables import record_batch

COLUMNS = ("material_id", "source", "source_id", "cif", "split")
"""What this stage needs of the table of crystals."""


@dataclass(frozen=True)
class GraphBatch:
    """What became of a batch of crystals, in their order.

    Attributes:
        graphs: rows of `GRAPHS_SCHEMA` by split.
        rejected: source, id there, stage and reason of each crystal without a graph.
        n_crystals: how many there were, those of no split included.
    """

    graphs: dict[str, pa.RecordBatch]
    rejected: list[tuple[str, str, str, str]]
    n_crystals: int


def graph_batch(crystals: pa.RecordBatch, cutoff: float, max_neighbors: int, selection: Selection) -> GraphBatch:
    """Build the graphs of the crystals that are in a split.

    Args:
        crystals: the columns `COLUMNS`.
        cutoff: Å.
        max_neighbors: see `periodic_neighbors`, as `selection`.
        selection: what is kept of several neighbours at the distance of the last one.
    """
    rows: dict[str, list[dict[str, Any]]] = {split: [] for split in SPLITS}
    rejected = []
    for crystal in crystals.to_pylist():
        if crystal["split"] is None:
            continue
        entry = CrystalEntry(crystal["material_id"], crystal["cif"])
        result = graph_row(entry, cutoff, max_neighbors, selection)
        if isinstance(result, GraphRejection):
            rejected.append((crystal["source"], crystal["source_id"], "build_graphs", result.reason))
        else:
            rows[crystal["split"]].append(result)
    graphs = {split: record_batch(rows_of_split, GRAPHS_SCHEMA) for split, rows_of_split in rows.items()}
    return GraphBatch(graphs, rejected, crystals.num_rows)
