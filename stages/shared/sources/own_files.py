"""The files of the source `own`: what kind each is, and their rows."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from stages.shared.sources.csv_table import iterate_csv
from stages.shared.sources.files import MANIFEST, BrokenFile, iterate_lines, open_text
from stages.shared.sources.record import Fields, RawRow, Reject
from stages.shared.sources.structure_files import LONGEST_TEXT

SOURCE = "own"
ID_COLUMNS = ("material_id", "id")
_KINDS = {
    ".cif": "cif",
    ".vasp": "poscar",
    ".poscar": "poscar",
    ".xyz": "extxyz",
    ".extxyz": "extxyz",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl",
    ".parquet": "parquet",
}
_POSCAR = ("POSCAR", "CONTCAR")
_BATCH_ROWS = 256


def kind_of(name: str) -> str:
    """Return 'cif', 'poscar', 'extxyz', 'csv', 'jsonl' or 'parquet' for a file name, nothing for any other file."""
    if name.upper().startswith(_POSCAR):
        return "poscar"
    return next((kind for ending, kind in _KINDS.items() if name.lower().endswith(ending)), "")


def name_of(name: str) -> str:
    """Return a file's name without what tells its kind: the id of the crystal it holds."""
    for ending in _KINDS:
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
    for beginning in _POSCAR:
        if name.upper().startswith(beginning):
            return name[len(beginning) :].lstrip("._-") or name
    return name


def rows(folder: Path) -> Iterator[RawRow | Reject]:
    """Yield one row per structure, with the row of its labels where a table has one, in the order of the file names."""
    with closing(_LabelStore()) as labels:
        for path in _files(folder, "csv"):
            yield from _collect_labels(path, labels)
        for path in _files(folder, "cif", "poscar", "extxyz"):
            for source_id, text in _structures_in(path):
                yield RawRow(SOURCE, source_id, {path.name: text, **labels.take(source_id)})
        for source_id, file in labels.left():
            yield Reject(SOURCE, source_id, f"{file} has labels of it, but no file of this name holds its structure")
    for path in _files(folder, "jsonl", "parquet"):
        yield from _records_in(path)


def _files(folder: Path, *kinds: str) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.name != MANIFEST and kind_of(path.name) in kinds)


class _LabelStore:
    """The rows of the tables of labels by id, in a temporary SQLite database, so that they need not fit into memory."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("CREATE TABLE labels (place INTEGER PRIMARY KEY, id UNIQUE, file, cells, taken)")

    def close(self) -> None:
        self._database.close()

    def add(self, source_id: str, file: str, cells: dict[str, str]) -> bool:
        """Keep a row; return False where there is one with its id."""
        query = "INSERT OR IGNORE INTO labels (id, file, cells, taken) VALUES (?, ?, ?, 0)"
        return self._database.execute(query, (source_id, file, json.dumps(cells))).rowcount == 1

    def take(self, source_id: str) -> dict[str, dict[str, str]]:
        """Return the row of an id under the name of its table, empty where there is none left."""
        query = "UPDATE labels SET taken = 1 WHERE id = ? AND taken = 0 RETURNING file, cells"
        found = self._database.execute(query, (source_id,)).fetchone()
        return {} if found is None else {found[0]: json.loads(found[1])}

    def left(self) -> Iterator[tuple[str, str]]:
        """Yield id and table of the rows nobody took, in the order in which they came."""
        return self._database.execute("SELECT id, file FROM labels WHERE taken = 0 ORDER BY place")


def _collect_labels(path: Path, labels: _LabelStore) -> Iterator[Reject]:
    """Put the rows of a table into the store and yield those that cannot be used."""
    number = 0
    try:
        for number, cells in enumerate(iterate_csv(path), start=1):
            place = f"row {number} of {path.name}"
            if isinstance(cells, str):
                yield Reject(SOURCE, place, cells)
            elif (source_id := Fields(cells).text(*ID_COLUMNS)) is None:
                yield Reject(SOURCE, place, "the row has no id")
            elif not labels.add(source_id, path.name, cells):
                yield Reject(SOURCE, source_id, f"duplicate: {path.name} has labels of an id that a row before has")
    except BrokenFile as error:
        yield Reject(SOURCE, f"behind row {number} of {path.name}", str(error))


def _structures_in(path: Path) -> Iterator[tuple[str, str]]:
    """Yield id and text of every structure in a file; of an XYZ file with several frames the ids are numbered."""
    name = name_of(path.name)
    with open_text(path) as file:
        if kind_of(path.name) != "extxyz":
            yield name, file.read(LONGEST_TEXT + 1)
            return
        frames = _frames(file)
        first, second = next(frames, ""), next(frames, None)
        if second is None:
            yield name, first
            return
        yield f"{name}-000000", first
        yield f"{name}-000001", second
        for number, frame in enumerate(frames, start=2):
            yield f"{name}-{number:06d}", frame


def _frames(file: IO[str]) -> Iterator[str]:
    """Yield the frames of an XYZ file, those too long for a reader cut short.

    Where a frame does not begin with a number of atoms, all that is left of the file counts as one.
    """
    while line := file.readline(LONGEST_TEXT):
        count = line.strip()
        if not count:
            continue
        if not (count.isdecimal() and len(count) < 8):
            yield line + file.read(LONGEST_TEXT)
            return
        frame, length = [line], len(line)
        for further in islice(file, int(count) + 1):
            if length <= LONGEST_TEXT:
                frame.append(further)
                length += len(further)
        yield "".join(frame)


def _records_in(path: Path) -> Iterator[RawRow | Reject]:
    """Yield the rows of a table that holds the structures too, named after file and place until they are parsed."""
    name = name_of(path.name)
    number = 0
    try:
        contents = iterate_lines(path) if kind_of(path.name) == "jsonl" else _parquet_rows(path)
        for number, content in enumerate(contents, start=1):
            yield RawRow(SOURCE, f"{name}-{number - 1:06d}", {path.name: content})
    except (pa.ArrowException, OSError, ValueError) as error:  # BrokenFile is a ValueError
        reason = str(error).splitlines()[0] if str(error) else "it is damaged"
        yield Reject(SOURCE, f"behind row {number} of {path.name}", f"{path.name} cannot be read any further: {reason}")


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(path, pre_buffer=False) as file:  # reading ahead keeps what has been read
        for batch in file.iter_batches(batch_size=_BATCH_ROWS):
            yield from batch.to_pylist()
