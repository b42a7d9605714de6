"""Tables larger than memory: Arrow files that are mapped into memory, and batches gathered from them.

A training stage writes what it reads in every epoch (graphs, tokens, targets) to its scratch folder once, as
uncompressed Arrow files. A file is mapped, not read: whatever touches pages of it lets go of them, so that
resident memory does not grow with the number of crystals.
"""

import mmap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stages.shared.atomic import atomic_file

ROWS_PER_BATCH = 256
"""Rows of a record batch: few, so that all columns of a row lie close together in the file."""


def write_arrow(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Path:
    """Write an Arrow file, one record batch in memory at a time, unless an earlier run did; return its path.

    Args:
        path: inside the run's scratch folder, the name of which depends on everything the table is made from.
        schema: of the batches.
        batches: of at most `ROWS_PER_BATCH` rows each; not looked at where the file exists.
    """
    if not path.exists():
        with atomic_file(path) as file, pa.ipc.new_file(file, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
    return path


@dataclass(frozen=True)
class Lists:
    """The lists of one column in some rows.

    Attributes:
        values: (sum of `lengths`,) one list after the other.
        lengths: (n_rows,) of the lists.
    """

    values: NDArray[Any]
    lengths: NDArray[np.int64]

    def split(self) -> list[NDArray[Any]]:
        """Return one array per row, views of `values`."""
        return np.split(self.values, np.cumsum(self.lengths)[:-1])


class MappedTable:
    """The rows of Arrow files, one file after the other, numbered from 0; another process maps the files itself.

    Args:
        paths: files of `write_arrow` with one schema.

    Attributes:
        file_lengths: number of rows of each file.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = [path.resolve() for path in paths]
        self._maps = [_map(path) for path in paths]
        readers = [pa.ipc.open_file(pa.py_buffer(file)) for file in self._maps]
        self._schema = readers[0].schema
        by_file = [[reader.get_batch(place) for place in range(reader.num_record_batches)] for reader in readers]
        self.file_lengths = [sum(batch.num_rows for batch in batches) for batches in by_file]
        self._batches = [batch for batches in by_file for batch in batches]
        self._first_row = np.cumsum([0, *(batch.num_rows for batch in self._batches)])  # of each batch, and the end
        lists = [field.name for field in self._schema if pa.types.is_list(field.type)]
        self._lists = {name: [_offsets_and_values(batch.column(name)) for batch in self._batches] for name in lists}
        self._give_back_pages()

    def __reduce__(self) -> tuple[type["MappedTable"], tuple[list[Path]]]:
        """Send the paths alone to another process."""
        return MappedTable, (self._paths,)

    def __len__(self) -> int:
        """Return the number of rows of all files."""
        return sum(self.file_lengths)

    def column(self, name: str) -> pa.Array:
        """Return a whole column; for short ones, such as identifiers."""
        chunks = [batch.column(name) for batch in self._batches]
        column = pa.chunked_array(chunks, self._schema.field(name).type).combine_chunks()
        self._give_back_pages()
        return column

    def lengths(self, name: str) -> NDArray[np.int64]:
        """Return the length of every list of a column, (n_rows,)."""
        lengths = [np.diff(offsets) for offsets, _ in self._lists[name]]
        self._give_back_pages()
        return np.concatenate([np.zeros(0, np.int64), *lengths])

    def gather(self, names: Sequence[str], rows: NDArray[np.int64]) -> dict[str, Lists]:
        """Return the lists of some columns in some rows, copied; the pages they lie on are given back.

        Args:
            names: columns of lists.
            rows: (n,) at least one, in any order.
        """
        batches = np.searchsorted(self._first_row, rows, side="right") - 1
        places = list(zip(batches.tolist(), (rows - self._first_row[batches]).tolist(), strict=True))
        gathered = {name: self._gather_column(name, places) for name in names}
        self._give_back_pages()
        return gathered

    def _give_back_pages(self) -> None:
        for file in self._maps:
            file.madvise(mmap.MADV_DONTNEED)

    def _gather_column(self, name: str, places: Sequence[tuple[int, int]]) -> Lists:
        column = self._lists[name]
        parts = []
        for batch, row in places:
            offsets, values = column[batch]
            parts.append(values[offsets[row] : offsets[row + 1]])
        return Lists(np.concatenate(parts), np.array([len(part) for part in parts]))


def _map(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _offsets_and_values(lists: pa.ListArray) -> tuple[NDArray[np.int32], NDArray[Any]]:
    """Return where each list starts and ends, (n_rows + 1,), and all values, as views of the file."""
    return lists.offsets.to_numpy(), lists.values.to_numpy()
