"""Crystal graphs on disk, and batches of them: read from the graph tables, gathered by array concatenation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from models.graph.batch import CrystalBatch
from models.graph.elements import N_ELEMENTS
from stages.shared.embeddings import EMBEDDINGS, EMBEDDINGS_REJECTED
from stages.shared.mapped import ROWS_PER_BATCH, Lists, MappedTable, write_arrow
from stages.shared.params import EncoderParams
from stages.shared.progress import say
from stages.shared.schemas import EMBEDDINGS_SCHEMA, GRAPHS_SCHEMA
from stages.shared.tables import iterate_batches

_COLUMNS = [name for name in GRAPHS_SCHEMA.names if name != "material_id"]


@dataclass(frozen=True)
class GraphTable:
    """The crystals of one or more splits with their neighbour lists, in memory-mapped files.

    Attributes:
        material_ids: (n_crystals,) strings.
        splits: (n_crystals,) `train`, `val` or `test`.
        table: columns of `GRAPHS_SCHEMA`.
        rows: (n_crystals,) row of each crystal in `table`.
        embeddings: columns of `EMBEDDINGS_SCHEMA`; None for a graph tower that reads none.
        embedding_rows: (n_crystals,) row of each crystal in `embeddings`.
    """

    material_ids: pa.StringArray
    splits: NDArray[np.str_]
    table: MappedTable
    rows: NDArray[np.int64]
    embeddings: MappedTable | None = None
    embedding_rows: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        """Return the number of crystals."""
        return len(self.rows)

    def select(self, places: NDArray[np.int64]) -> "GraphTable":
        """Return some of the crystals, in the order of `places`."""
        return replace(
            self,
            material_ids=self.material_ids.take(pa.array(places)),
            splits=self.splits[places],
            rows=self.rows[places],
            embedding_rows=None if self.embedding_rows is None else self.embedding_rows[places],
        )

    def batch(self, places: NDArray[np.int64]) -> CrystalBatch:
        """Join crystals to one batch: floating-point numbers float32, whole numbers int64.

        Args:
            places: (n,) which crystals, at least one.
        """
        columns = self.table.gather(_COLUMNS, self.rows[places])
        n_atoms, n_edges = columns["atomic_numbers"].lengths, columns["edge_source"].lengths
        first_atom = np.cumsum(n_atoms) - n_atoms
        edge_offset = np.repeat(first_atom, n_edges)  # (all edges,)
        return CrystalBatch(
            atomic_numbers=_tensor(columns["atomic_numbers"], np.int64),
            frac_coords=_tensor(columns["frac_coords"], np.float32).reshape(-1, 3),
            lattice=_tensor(columns["lattice"], np.float32).reshape(-1, 3, 3),
            batch=torch.from_numpy(np.repeat(np.arange(len(places)), n_atoms)),
            edge_source=torch.from_numpy(columns["edge_source"].values + edge_offset),
            edge_target=torch.from_numpy(columns["edge_target"].values + edge_offset),
            edge_image=_tensor(columns["edge_image"], np.float32).reshape(-1, 3),
            occupancy=_occupancy(columns, first_atom),
            embedding=self._embedding(places),
        )

    def _embedding(self, places: NDArray[np.int64]) -> torch.Tensor | None:
        """Return the embedding of each crystal, (n, embedding_dim), or None for a tower that reads none."""
        if self.embeddings is None or self.embedding_rows is None:
            return None
        lists = self.embeddings.gather(["embedding"], self.embedding_rows[places])["embedding"]
        return torch.from_numpy(lists.values.reshape(len(places), -1))


def read_inputs(data: Path, splits: Sequence[str], encoder: EncoderParams, scratch: Path) -> GraphTable:
    """Return what the graph tower reads of the crystals of some splits, by split, then by material_id.

    A tower that reads embeddings gets the crystals that have one; how many have none is said.

    Args:
        data: the pipeline's data folder.
        splits: `train`, `val` and `test`, or some of them.
        encoder: the graph tower.
        scratch: folder for the memory-mapped files; they must stay while the table is used.

    Raises:
        StageError: there is no table of graphs, or of embeddings where the tower reads them.
    """
    graphs = read_graphs({split: data / "graphs" / f"{split}.parquet" for split in splits}, scratch)
    if encoder.name != "precomputed":
        return graphs
    batches = iterate_batches(data / EMBEDDINGS, ROWS_PER_BATCH)
    embeddings = MappedTable([write_arrow(scratch / "embeddings.arrow", EMBEDDINGS_SCHEMA, batches)])
    found = rows_of(graphs.material_ids, embeddings.column("material_id"))
    for split in splits:
        of_split = graphs.splits == split
        n_left_out = int((found[of_split] < 0).sum())
        if n_left_out:
            of_all = f"{n_left_out} of {of_split.sum()} crystals"
            say(f"{split}: left out, no embedding: {of_all}, see {data / EMBEDDINGS_REJECTED}")
    return replace(graphs, embeddings=embeddings, embedding_rows=found).select(np.flatnonzero(found >= 0))


def read_graphs(tables: Mapping[str, Path], scratch: Path) -> GraphTable:
    """Return the crystals of graph tables, in the order of the files.

    Args:
        tables: the parquet table of each split.
        scratch: folder for the memory-mapped files.

    Raises:
        StageError: a table does not exist.
    """
    files = [
        write_arrow(scratch / f"graphs_{split}.arrow", GRAPHS_SCHEMA, iterate_batches(path, ROWS_PER_BATCH))
        for split, path in tables.items()
    ]
    table = MappedTable(files)
    splits = np.repeat(np.array(list(tables)), table.file_lengths)
    return GraphTable(table.column("material_id"), splits, table, np.arange(len(table)))


def rows_of(wanted: pa.StringArray, names: pa.StringArray | pa.ChunkedArray) -> NDArray[np.int64]:
    """Return the place of each wanted name among `names`, (n_wanted,), −1 where it is not among them."""
    places = pc.fill_null(pc.index_in(wanted, value_set=names), -1)
    return places.to_numpy(zero_copy_only=False).astype(np.int64)


def _occupancy(columns: Mapping[str, Lists], first_atom: NDArray[np.int64]) -> torch.Tensor | None:
    """Return the share of each element on each site, (n_atoms, 119), or None where all crystals are ordered."""
    site, atomic_numbers = columns["occupancy_site"], columns["atomic_numbers"]
    if not len(site.values):
        return None
    shares = np.zeros((len(atomic_numbers.values), N_ELEMENTS + 1), dtype=np.float32)
    ordered = np.flatnonzero(np.repeat(site.lengths == 0, atomic_numbers.lengths))
    shares[ordered, atomic_numbers.values[ordered]] = 1.0
    atom = site.values + np.repeat(first_atom, site.lengths)
    shares[atom, columns["occupancy_element"].values] = columns["occupancy_fraction"].values
    return torch.from_numpy(shares)


def _tensor(column: Lists, dtype: type[np.generic]) -> torch.Tensor:
    return torch.from_numpy(column.values.astype(dtype))
