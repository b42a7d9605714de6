"""JSON and comma-separated tables that come out the same to the byte: sorted keys, six significant digits."""

import codecs
import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from stages.shared.atomic import atomic_file, existing

SIGNIFICANT_DIGITS = 6


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
    return json.loads(existing(path).read_text(encoding="utf-8"))


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
    with existing(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


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
