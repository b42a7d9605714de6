"""Files that come out the same to the byte wherever and whenever they are written.

Parquet goes through one writer with a fixed number of rows in a row group and a fixed compression level, be it written
at once or row by row; JSON has sorted keys and six significant digits; CSV likewise. Every file is written under a
temporary name, flushed to disk and renamed, so that a killed stage never leaves half a file under its final name.
"""

import codecs
import csv
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages.shared.errors import StageError
from stages.shared.memory import give_back_memory

ROW_GROUP_SIZE = 1024
_ROWS_PACKED_AT_ONCE = 64
SIGNIFICANT_DIGITS = 6


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary neighbour of `path` for binary writing and rename it to `path` on success.

    The data reach the disk before the rename. On any failure the temporary file is removed and `path` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


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
    with atomic_file(path) as file, _parquet_writer(file, schema) as writer:
        writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=ROW_GROUP_SIZE)


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
        self._packed: list[pa.RecordBatch] = []
        self.n_rows = 0

    def append(self, row: Mapping[str, Any]) -> None:
        """Add one row: a value per field of the schema.

        Raises:
            ValueError: row and schema name different fields.
        """
        _check_names(row, self._schema)
        self._rows.append(row)
        self.n_rows += 1
        if len(self._rows) == _ROWS_PACKED_AT_ONCE:
            self._pack()
        if self.n_rows % ROW_GROUP_SIZE == 0:
            self._write_row_group()

    def append_batch(self, batch: pa.RecordBatch) -> None:
        """Add the rows of a batch, which has the table's schema.

        Raises:
            ValueError: batch and table have different schemas.
        """
        if batch.schema != self._schema:
            raise ValueError(f"the batch's schema is not that of the table:\n{batch.schema}\n{self._schema}")
        self._pack()
        while batch.num_rows:
            fitting = batch.slice(0, ROW_GROUP_SIZE - self.n_rows % ROW_GROUP_SIZE)
            self._packed.append(fitting)
            self.n_rows += fitting.num_rows
            if self.n_rows % ROW_GROUP_SIZE == 0:
                self._write_row_group()
            batch = batch.slice(fitting.num_rows)

    def finish(self) -> None:
        """Write the rows left over; a table without rows has one empty row group, as `write_table` makes it."""
        if self._rows or self._packed or self.n_rows == 0:
            self._write_row_group()

    def _pack(self) -> None:
        if self._rows:
            self._packed.append(record_batch(self._rows, self._schema))
            self._rows = []

    def _write_row_group(self) -> None:
        self._pack()
        # the bytes of pages depend on the chunks
        table = pa.Table.from_batches(self._packed, schema=self._schema).combine_chunks()
        self._packed = []
        self._writer.write_table(table, row_group_size=ROW_GROUP_SIZE)
        del table
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
    with pq.ParquetFile(_existing(path)) as file:
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
    with pq.ParquetFile(_existing(path), pre_buffer=False) as file:
        names = None if columns is None else list(columns)
        yield from file.iter_batches(batch_size=n_rows, columns=names, use_threads=False)


def column_names(path: Path) -> list[str]:
    """Return the names of the columns of a parquet table, without reading its rows.

    Raises:
        StageError: the file does not exist.
    """
    return list(pq.read_schema(_existing(path)).names)


def count_rows(path: Path) -> int:
    """Return the number of rows of a parquet table, without reading them.

    Raises:
        StageError: the file does not exist.
    """
    return int(pq.read_metadata(_existing(path)).num_rows)


def table_schema(path: Path) -> pa.Schema:
    """Return names, types and field metadata (units) of the columns of a parquet table, without reading its rows.

    Raises:
        StageError: the file does not exist.
    """
    return pq.read_schema(_existing(path))


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys, two spaces of indentation and floats of six significant digits.

    Raises:
        ValueError: the value holds a NaN or an infinity; say `None` where a number is unknown.
    """
    text = json.dumps(_rounded(value), sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    with atomic_file(path) as file:
        file.write((text + "\n").encode())


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        StageError: the file does not exist.
    """
    return json.loads(_existing(path).read_text(encoding="utf-8"))


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a comma-separated table with a header line, floats of six significant digits, `None` as an empty cell."""
    with csv_writer(path, header) as table:
        for row in rows:
            table.append(row)


class CsvWriter:
    """Appends rows to a comma-separated table; see `csv_writer`."""

    def __init__(self, file: BinaryIO) -> None:
        self._writer = csv.writer(codecs.getwriter("utf-8")(file), lineterminator="\n")
        self.n_rows = 0

    def append(self, row: Sequence[object], /) -> None:
        """Add one row."""
        self._writer.writerow(["" if cell is None else _rounded(cell) for cell in row])
        self.n_rows += 1


@contextmanager
def csv_writer(path: Path, header: Sequence[str]) -> Iterator[CsvWriter]:
    """Open a comma-separated table that takes its rows one by one, and gives it its name when all are there.

    The file has the same bytes as that of `write_csv`. On any failure `path` stays as it was.
    """
    with atomic_file(path) as file:
        table = CsvWriter(file)
        table.append(header)
        table.n_rows = 0
        yield table


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read a comma-separated table as one dictionary of strings per row.

    Raises:
        StageError: the file does not exist.
    """
    with _existing(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _existing(path: Path) -> Path:
    if not path.exists():
        raise StageError(f"{path} does not exist; run `dvc repro`, which makes it first")
    return path


def _rounded(value: Any) -> Any:
    """Copy a JSON-like value with plain Python numbers, floats cut to six significant digits."""
    if isinstance(value, Mapping):
        return {str(key): _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_rounded(item) for item in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        number = float(value)
        return float(f"{number:.{SIGNIFICANT_DIGITS}g}") if math.isfinite(number) else number
    return value
