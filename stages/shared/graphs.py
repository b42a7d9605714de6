"""Crystal graphs in memory: read from the graph tables, put together to batches."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from models.graph.batch import CrystalBatch
from models.graph.elements import N_ELEMENTS
from stages.shared.embeddings import EMBEDDINGS, EMBEDDINGS_REJECTED, read_embeddings
from stages.shared.params import EncoderParams
from stages.shared.progress import say
from stages.shared.tables import read_table


@dataclass(frozen=True)
class CrystalGraph:
    """One crystal, its neighbour list, and its embedding by another model where one is wanted.

    `atomic_numbers` (n_atoms,); `frac_coords` (n_atoms, 3); `lattice` (3, 3), rows are vectors, Å; `edge_source` and
    `edge_target` (n_edges,); `edge_image` (n_edges, 3). The edge vector is x_target + image · lattice − x_source.
    `occupancy_site`, `occupancy_element` and `occupancy_fraction` (n_entries,): see `GRAPHS_SCHEMA`; empty for an
    ordered crystal. `embedding` (embedding_dim,).
    """

    material_id: str
    atomic_numbers: NDArray[np.uint8]
    frac_coords: NDArray[np.float64]
    lattice: NDArray[np.float64]
    edge_source: NDArray[np.int32]
    edge_target: NDArray[np.int32]
    edge_image: NDArray[np.int8]
    occupancy_site: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    occupancy_element: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    occupancy_fraction: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    embedding: NDArray[np.float32] | None = None


def read_inputs(data: Path, split: str, encoder: EncoderParams) -> list[CrystalGraph]:
    """Return what the graph tower reads of the crystals of a split, sorted by material_id.

    A tower that reads embeddings gets the crystals that have one; how many have none is said.

    Args:
        data: the pipeline's data folder.
        split: `train`, `val` or `test`.
        encoder: the graph tower.
    """
    graphs = read_graphs(data / "graphs" / f"{split}.parquet")
    if encoder.name != "precomputed":
        return graphs
    embeddings = read_embeddings(data / EMBEDDINGS)
    described = [
        replace(graph, embedding=embeddings[graph.material_id]) for graph in graphs if graph.material_id in embeddings
    ]
    if len(described) < len(graphs):
        n_left_out = f"{len(graphs) - len(described)} of {len(graphs)} crystals"
        say(f"{split}: left out, no embedding: {n_left_out}, see {data / EMBEDDINGS_REJECTED}")
    return described


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
            occupancy_site=columns["occupancy_site"][row],
            occupancy_element=columns["occupancy_element"][row],
            occupancy_fraction=columns["occupancy_fraction"][row],
        )
        for row, material_id in enumerate(table.column("material_id").to_pylist())
    ]


def collate(graphs: Sequence[CrystalGraph]) -> CrystalBatch:
    """Join graphs to one batch by concatenation: floating-point numbers float32, whole numbers int64.

    Raises:
        ValueError: `graphs` is empty, or only some of them have an embedding.
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
        occupancy=_join_occupancy(graphs, first_atom),
        embedding=_join_embedding(graphs),
    )


def _join_occupancy(graphs: Sequence[CrystalGraph], first_atom: NDArray[np.int64]) -> torch.Tensor | None:
    """Return the share of each element on each site, (n_atoms, 119), or None where all crystals are ordered."""
    if not any(len(graph.occupancy_site) for graph in graphs):
        return None
    n_atoms = sum(len(graph.atomic_numbers) for graph in graphs)
    shares = np.zeros((n_atoms, N_ELEMENTS + 1), dtype=np.float32)
    for graph, first in zip(graphs, first_atom, strict=True):
        if len(graph.occupancy_site):
            shares[first + graph.occupancy_site, graph.occupancy_element] = graph.occupancy_fraction
        else:
            shares[first + np.arange(len(graph.atomic_numbers)), graph.atomic_numbers] = 1.0
    return torch.from_numpy(shares)


def _join_embedding(graphs: Sequence[CrystalGraph]) -> torch.Tensor | None:
    embeddings = [graph.embedding for graph in graphs if graph.embedding is not None]
    if not embeddings:
        return None
    if len(embeddings) < len(graphs):
        raise ValueError(f"{len(embeddings)} of {len(graphs)} crystals have an embedding; all or none must")
    return torch.from_numpy(np.stack(embeddings))


def _rows(column: pa.ListArray) -> list[NDArray[Any]]:
    """Return one array per row of a list column."""
    values = column.flatten().to_numpy()
    ends = np.cumsum(column.value_lengths().to_numpy())
    return np.split(values, ends[:-1]) if len(column) else []


def _tensor(parts: Sequence[NDArray[Any]], dtype: type[np.generic]) -> torch.Tensor:
    return torch.from_numpy(np.concatenate(parts).astype(dtype))
