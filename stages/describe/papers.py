"""Paragraphs of papers about crystals, from parquet files of the user's: the literature corpus that CLaC trains on.

Park et al., *Contrastive Learning of English Language and Crystal Graphs for Multimodal Representation of Materials
Knowledge*, arXiv:2502.16451; their corpus was never published, its columns are those read here.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pymatgen.core import Composition

from stages.shared.errors import StageError
from stages.shared.sources.record import clean_text, formula_and_units, is_missing, shortened

FORMULA_COLUMNS = ("formula", "reduced_formula")
TEXT_COLUMNS = ("paragraphs", "text")
_BATCH_ROWS = 256
_BUFFER = 1 << 20


class PaperTexts:
    """The texts of all `*.parquet` files of a folder, found by material_id or reduced formula.

    They lie in a temporary SQLite database on disk, which goes with the process, so that memory does not grow with
    their number.

    Args:
        folder: may hold no parquet file.

    Raises:
        StageError: no such folder, or no room on the disk.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise StageError(f"describe.papers_directory is '{folder}', which is no folder; name one, be it empty")
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE papers (row, material_id, formula, texts, used DEFAULT 0)")
        self._database.execute("CREATE INDEX by_id ON papers (material_id)")
        self._database.execute("CREATE INDEX by_formula ON papers (formula)")
        self._unusable: list[tuple[str, str]] = []
        for path in sorted(folder.glob("*.parquet")):
            self._read(path)

    def close(self) -> None:
        """Remove the database."""
        self._database.close()

    def of(self, material_id: str, formula: str) -> list[str]:
        """Return the texts on a crystal or its composition, in the order of files and rows.

        Args:
            material_id: of the crystal.
            formula: its reduced formula.
        """
        key = (material_id, formula)
        found = self._database.execute(
            "SELECT texts FROM papers WHERE material_id = ? OR formula = ? ORDER BY rowid", key
        )
        texts = [text for (row,) in found for text in json.loads(row)]
        self._database.execute("UPDATE papers SET used = 1 WHERE material_id = ? OR formula = ?", key)
        return texts

    def rejected(self) -> Iterator[tuple[str, str]]:
        """Yield file and place of each row that could not be used, or was never asked for, and the reason."""
        yield from self._unusable
        for row, material_id, formula in self._database.execute(
            "SELECT row, material_id, formula FROM papers WHERE NOT used ORDER BY rowid"
        ):
            yield row, f"no crystal is called {material_id}" if material_id else f"no crystal is {formula}"

    def _read(self, path: Path) -> None:
        place = 0
        try:
            with pq.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False) as file:
                wanted = {"material_id", *FORMULA_COLUMNS, *TEXT_COLUMNS}
                columns = [name for name in file.schema_arrow.names if name in wanted]
                for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=columns, use_threads=False):
                    for values in batch.to_pylist():
                        self._add(f"{path.stem}-{place:06d}", values)
                        place += 1
        except (pa.ArrowException, OSError) as error:
            reason = f"{path.name} cannot be read any further: {str(error).splitlines()[0]}"
            self._unusable.append((f"{path.stem}-{place:06d}", reason))

    def _add(self, row: str, values: Mapping[str, Any]) -> None:
        try:
            material_id, formula = _subject(values)
            texts = json.dumps(_texts(values), ensure_ascii=False)
        except ValueError as error:
            self._unusable.append((row, str(error)))
            return
        try:
            place = (row, material_id, formula, texts)
            self._database.execute("INSERT INTO papers (row, material_id, formula, texts) VALUES (?, ?, ?, ?)", place)
        except sqlite3.OperationalError as error:
            raise StageError(f"{error}: set TMPDIR to a folder with room for the paragraphs of papers") from None


def _subject(values: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return the material_id, or else the reduced formula, that a row is about.

    Raises:
        ValueError: the row has neither, or the formula is none.
    """
    material_id = values.get("material_id")
    if not is_missing(material_id):
        return clean_text(str(material_id)), None
    for column in FORMULA_COLUMNS:
        formula = values.get(column)
        if is_missing(formula):
            continue
        try:
            return None, formula_and_units(Composition(formula))[0]
        except (ValueError, TypeError, KeyError, OverflowError):
            raise ValueError(f"{shortened(formula)} is no formula") from None
    raise ValueError("the row has neither material_id nor formula")


def _texts(values: Mapping[str, Any]) -> list[str]:
    """Return the texts of a row.

    Raises:
        ValueError: it has none.
    """
    for column in TEXT_COLUMNS:
        value = values.get(column)
        groups = value if isinstance(value, list) else [value]
        joined = (" ".join(_paragraphs(group)) for group in groups)
        if texts := [text for text in joined if text]:
            return texts
    raise ValueError("the row has no text")


def _paragraphs(group: Any) -> list[str]:
    """Return the texts of a group, which may be a single one, without blank ones and what is no text."""
    paragraphs = group if isinstance(group, list) else [group]
    return [clean_text(text) for text in paragraphs if isinstance(text, str) and not is_missing(text)]
