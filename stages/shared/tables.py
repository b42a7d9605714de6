"""Parquet tables that come out the same to the byte wherever and whenever they are written.

All go through one writer with a fixed number of rows in a block and in a row group and a fixed compression level, be
they written at once, in batches or row by row.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from stages.shared.atomic import atomic_file, existing
from stages.shared.memory import give_back_memory

ROW_GROUP_SIZE = 1024
BLOCK_SIZE = 128
"""Rows handed to parquet's encoder at a time: it takes several times their memory and keeps a part of it. The bytes of
a file depend on it."""


def write_table(path: Path, columns: Mapping[str, Any], schema: pa.Schema) -> None:
    """Write columns as parquet with exactly the given schema.

    Args:
        path: the file to write.
        columns: one sequence, numpy array or arrow array per field of `schema`; the order does not matter.
        schema: names, types, nullability and field metadata (units) of the table.

    Raises:
        ValueError: columns and schema name different fields.
    """
    _check_names(columns, schema)
    arrays = [_as_array(columns[field.name], field.type) for field in schema]
    with row_writer(path, schema) as rows:
        for batch in pa.Table.from_arrays(arrays, schema=schema).to_batches():
            rows.append_batch(batch)


def record_batch(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
    """Return rows as one batch of columns.

    Args:
        rows: each with a value per field of `schema`.
        schema: names and types of the columns.
    """
    arrays = [pa.array([row[field.name] for row in rows], type=field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


class RowWriter:
    """Appends rows to a parquet file, holding no more than one row group of them in memory, most as Arrow arrays."""

    def __init__(self, writer: pq.ParquetWriter, schema: pa.Schema) -> None:
        self._writer = writer
        self._schema = schema
        self._rows: list[Mapping[str, Any]] = []
        self._pieces: list[pa.RecordBatch] = []
        self._blocks: list[pa.RecordBatch] = []
        self.n_rows = 0

    def append(self, row: Mapping[str, Any]) -> None:
        """Add one row: a value per field of the schema.

        Raises:
            ValueError: row and schema name different fields.
        """
        _check_names(row, self._schema)
        self._rows.append(row)
        self.n_rows += 1
        if self.n_rows % BLOCK_SIZE == 0:
            self._end_block()

    def append_batch(self, batch: pa.RecordBatch) -> None:
        """Add the rows of a batch, which has the table's schema.

        Raises:
            ValueError: batch and table have different schemas.
        """
        if batch.schema != self._schema:
            raise ValueError(f"the batch's schema is not that of the table:\n{batch.schema}\n{self._schema}")
        self._pack()
        while batch.num_rows:
            fitting = batch.slice(0, BLOCK_SIZE - self.n_rows % BLOCK_SIZE)
            self._pieces.append(fitting)
            self.n_rows += fitting.num_rows
            if self.n_rows % BLOCK_SIZE == 0:
                self._end_block()
            batch = batch.slice(fitting.num_rows)

    def finish(self) -> None:
        """Write the rows left over; a table without rows has one empty row group."""
        if self._rows or self._pieces:
            self._end_block()
        if self._blocks or self.n_rows == 0:
            self._write_row_group()

    def _pack(self) -> None:
        if self._rows:
            self._pieces.append(record_batch(self._rows, self._schema))
            self._rows = []

    def _end_block(self) -> None:
        self._pack()
        self._blocks.append(pa.concat_batches(self._pieces))
        self._pieces = []
        if self.n_rows % ROW_GROUP_SIZE == 0:
            self._write_row_group()

    def _write_row_group(self) -> None:
        self._writer.write_table(pa.Table.from_batches(self._blocks, self._schema), row_group_size=ROW_GROUP_SIZE)
        self._blocks = []
        give_back_memory()


@contextmanager
def row_writer(path: Path, schema: pa.Schema) -> Iterator[RowWriter]:
    """Open a parquet file that takes its rows one by one or in batches, and gives it its name when all are there.

    The file has the same bytes as that of `write_table`. On any failure `path` stays as it was.

    Args:
        path: the file to write.
        schema: names, types, nullability and field metadata (units) of the table.
    """
    with atomic_file(path) as file, _parquet_writer(file, schema) as writer:
        rows = RowWriter(writer, schema)
        yield rows
        rows.finish()


def _parquet_writer(file: BinaryIO, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(
        file,
        schema,
        compression="zstd",
        compression_level=6,
        use_dictionary=False,
        write_statistics=True,
    )


def _check_names(columns: Mapping[str, Any], schema: pa.Schema) -> None:
    if set(columns) != set(schema.names):
        raise ValueError(f"columns {sorted(columns)} do not match the schema {sorted(schema.names)}")


def _as_array(values: Any, type_: pa.DataType) -> pa.Array | pa.ChunkedArray:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values.cast(type_)
    return pa.array(values, type=type_)


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a parquet table, or only the named columns of it.

    Raises:
        StageError: the file does not exist.
    """
    # `pq.read_table` imports pandas, which takes longer than most tables
    with pq.ParquetFile(existing(path)) as file:
        return file.read() if columns is None else file.read(list(columns)).select(list(columns))


def iterate_rows(path: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a parquet table one by one, holding one row group of the named columns in memory.

    Raises:
        StageError: the file does not exist.
    """
    for batch in iterate_batches(path, ROW_GROUP_SIZE, columns):
        yield from batch.to_pylist()


def iterate_batches(path: Path, n_rows: int, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield a parquet table, or the named columns of it, as record batches of at most `n_rows` rows.

    Raises:
        StageError: the file does not exist.
    """
    # reading ahead keeps what has been read: memory would grow with the table
    with pq.ParquetFile(existing(path), pre_buffer=False) as file:
        names = None if columns is None else list(columns)
        yield from file.iter_batches(batch_size=n_rows, columns=names, use_threads=False)


def column_names(path: Path) -> list[str]:
    """Return the names of the columns of a parquet table, without reading its rows.

    Raises:
        StageError: the file does not exist.
    """
    return list(pq.read_schema(existing(path)).names)


def count_rows(path: Path) -> int:
    """Return the number of rows of a parquet table, without reading them.

    Raises:
        StageError: the file does not exist.
    """
    return int(pq.read_metadata(existing(path)).num_rows)


def table_schema(path: Path) -> pa.Schema:
    """Return names, types and field metadata (units) of the columns of a parquet table, without reading its rows.

    Raises:
        StageError: the file does not exist.
    """
    return pq.read_schema(existing(path))
