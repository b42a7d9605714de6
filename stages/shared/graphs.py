"""Crystal graphs in memory: read from the graph tables, put together to batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from models.graph.batch import CrystalBatch
from stages.shared.tables import read_table


@dataclass(frozen=True)
class CrystalGraph:
    """One crystal and its neighbour list.

    `atomic_numbers` (n_atoms,); `frac_coords` (n_atoms, 3); `lattice` (3, 3), rows are vectors, Å; `edge_source` and
    `edge_target` (n_edges,); `edge_image` (n_edges, 3). The edge vector is x_target + image · lattice − x_source.
    """

    material_id: str
    atomic_numbers: NDArray[np.uint8]
    frac_coords: NDArray[np.float64]
    lattice: NDArray[np.float64]
    edge_source: NDArray[np.int32]
    edge_target: NDArray[np.int32]
    edge_image: NDArray[np.int8]


def read_graphs(path: Path) -> list[CrystalGraph]:
    """Read a graph table, one graph per row in the order of the file; the arrays are views of the table's columns."""
    table = read_table(path)
    columns = {name: _rows(table.column(name).combine_chunks()) for name in table.column_names if name != "material_id"}
    return [
        CrystalGraph(
            material_id=material_id,
            atomic_numbers=columns["atomic_numbers"][row],
            frac_coords=columns["frac_coords"][row].reshape(-1, 3),
            lattice=columns["lattice"][row].reshape(3, 3),
            edge_source=columns["edge_source"][row],
            edge_target=columns["edge_target"][row],
            edge_image=columns["edge_image"][row].reshape(-1, 3),
        )
        for row, material_id in enumerate(table.column("material_id").to_pylist())
    ]


def collate(graphs: Sequence[CrystalGraph]) -> CrystalBatch:
    """Join graphs to one batch by concatenation: lattice and coordinates float32, whole numbers int64.

    Raises:
        ValueError: `graphs` is empty.
    """
    n_atoms = np.array([len(graph.atomic_numbers) for graph in graphs])
    n_edges = np.array([len(graph.edge_source) for graph in graphs])
    first_atom = np.cumsum(n_atoms) - n_atoms
    edge_offset = np.repeat(first_atom, n_edges)  # (all edges,)
    return CrystalBatch(
        atomic_numbers=_tensor([graph.atomic_numbers for graph in graphs], np.int64),
        frac_coords=_tensor([graph.frac_coords for graph in graphs], np.float32),
        lattice=torch.from_numpy(np.stack([graph.lattice for graph in graphs]).astype(np.float32)),
        batch=torch.from_numpy(np.repeat(np.arange(len(graphs)), n_atoms)),
        edge_source=torch.from_numpy(np.concatenate([graph.edge_source for graph in graphs]) + edge_offset),
        edge_target=torch.from_numpy(np.concatenate([graph.edge_target for graph in graphs]) + edge_offset),
        edge_image=_tensor([graph.edge_image for graph in graphs], np.float32),
    )


def _rows(column: pa.ListArray) -> list[NDArray[Any]]:
    """Return one array per row of a list column."""
    values = column.flatten().to_numpy()
    ends = np.cumsum(column.value_lengths().to_numpy())
    return np.split(values, ends[:-1]) if len(column) else []


def _tensor(parts: Sequence[NDArray[Any]], dtype: type[np.generic]) -> torch.Tensor:
    return torch.from_numpy(np.concatenate(parts).astype(dtype))
