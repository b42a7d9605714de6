"""Tables of crystal graphs for tests, written and opened as a training stage does it."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from stages.shared.graphs import GraphTable, read_graphs
from stages.shared.schemas import GRAPHS_SCHEMA
from stages.shared.tables import write_table


def simple_cubic(material_id: str, atomic_number: int) -> dict[str, Any]:
    """A simple cubic crystal of 3 Å with six neighbours."""
    images = np.concatenate([np.eye(3, dtype=np.int8), -np.eye(3, dtype=np.int8)])
    return {
        "material_id": material_id,
        "atomic_numbers": [atomic_number],
        "frac_coords": [0.0] * 3,
        "lattice": (3.0 * np.eye(3)).ravel(),
        "edge_source": [0] * 6,
        "edge_target": [0] * 6,
        "edge_image": images.ravel(),
        "occupancy_site": [],
        "occupancy_element": [],
        "occupancy_fraction": [],
    }


def write_graph_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows of `GRAPHS_SCHEMA`."""
    write_table(path, {name: [row[name] for row in rows] for name in GRAPHS_SCHEMA.names}, GRAPHS_SCHEMA)


def open_graphs(tables: dict[str, Path]) -> GraphTable:
    """Return the crystals of graph tables; a mapped file may go as soon as it is mapped."""
    with tempfile.TemporaryDirectory() as scratch:
        return read_graphs(tables, Path(scratch))


def graph_table(rows: Sequence[dict[str, Any]], splits: Sequence[str] | None = None) -> GraphTable:
    """Return a table of these crystals; all are of the train split unless said otherwise."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graphs.parquet"
        write_graph_rows(path, rows)
        table = read_graphs({"train": path}, Path(folder))
    return GraphTable(table.material_ids, np.array(splits or ["train"] * len(rows)), table.table, table.rows)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a graph table, vectors as rows of matrices."""
    rows = pq.read_table(path).to_pylist()
    for row in rows:
        for name in ("frac_coords", "lattice", "edge_image"):
            row[name] = np.array(row[name]).reshape(-1, 3)
    return rows
