"""Crystals on disk while they are collected, so that memory does not grow with their number."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from stages.generate_cif.crystals import Crystal
from stages.shared.errors import StageError
from stages.shared.schemas import CRYSTALS_SCHEMA

_FIELDS = tuple(name for name in CRYSTALS_SCHEMA.names if name != "split")
_BOOKS = ("files", "notes", "own_properties")
"""Kept as JSON text."""
_PROJECTED = {"edos_projected": "edos_energy", "phdos_projected": "phdos_frequency"}
"""Parts of a spectrum by element, kept as JSON text, and the axis they belong to."""
_COLUMNS = ", ".join((*_FIELDS, *_BOOKS))
_INSERT = f"INSERT INTO crystals ({_COLUMNS}) VALUES ({', '.join('?' * (len(_FIELDS) + len(_BOOKS)))})"  # noqa: S608
_IN_MEMORY_KIB = 4096


class CrystalStore:
    """Crystals by material id, in the order in which they came, in a temporary SQLite database.

    SQLite keeps it in the folder `SQLITE_TMPDIR` or `TMPDIR`, takes about as much space there as the CIF texts, spectra
    and narratives do, and removes it with the process, however that ends. In memory are 4 MiB of it.

    Numbers come back as they were given: text as UTF-8, floats as 8 bytes, spectra as their bytes.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute(f"PRAGMA cache_size = -{_IN_MEMORY_KIB}")
        # columns without a type: one declared REAL would lose the sign of -0.0
        self._database.execute(f"CREATE TABLE crystals (place INTEGER PRIMARY KEY, {_COLUMNS})")
        self._database.execute("CREATE UNIQUE INDEX by_id ON crystals (material_id)")
        self._database.execute("CREATE INDEX by_structure ON crystals (formula, space_group_number)")
        self.own_properties: set[str] = set()
        """Names of the properties beyond the schema that any crystal here may have."""
        self._database.execute("CREATE TABLE matches (material_id, other_id, PRIMARY KEY (material_id, other_id))")

    def close(self) -> None:
        """Remove the database."""
        self._database.close()

    def add(self, crystal: Crystal) -> None:
        """Keep a crystal; its `material_id` must be new.

        Raises:
            sqlite3.IntegrityError: the id is not new.
            StageError: the disk is full.
        """
        values = [_to_sql(crystal.columns[name]) for name in _FIELDS]
        books = [json.dumps(getattr(crystal, name)) for name in _BOOKS]
        self.own_properties.update(crystal.own_properties)
        try:
            self._database.execute(_INSERT, (*values, *books))
        except sqlite3.OperationalError as error:
            raise StageError(f"{error}: set TMPDIR to a folder with room for all crystals") from None

    def source_of(self, material_id: str) -> str | None:
        """Return the source of a crystal, None where the id is unknown."""
        row = self._database.execute("SELECT source FROM crystals WHERE material_id = ?", (material_id,)).fetchone()
        return None if row is None else row[0]

    def complete(self, crystal: Crystal) -> bool:
        """Fill in what the crystal of the same id lacks, if it is the same: equal formula, space group and orbits.

        Returns:
            whether it is; if not, nothing changes.
        """
        filled = ", ".join(f"{name} = {_filled(name)}" for name in _FIELDS)
        query = f"UPDATE crystals SET {filled} WHERE material_id = ? AND fingerprint = ?"  # noqa: S608
        values = [_to_sql(crystal.columns[name]) for name in _FIELDS]
        place = (crystal.columns["material_id"], crystal.columns["fingerprint"])
        return self._database.execute(query, (*values, *place)).rowcount == 1

    def has_narrative(self, material_id: str) -> bool:
        """Tell whether a crystal has a narrative or an explanation."""
        query = "SELECT narrative IS NOT NULL OR explanation IS NOT NULL FROM crystals WHERE material_id = ?"
        return bool(self._database.execute(query, (material_id,)).fetchone()[0])

    def set_texts(self, material_id: str, teller: Crystal) -> None:
        """Give a crystal the narrative and explanation of another, and the questions that go with them."""
        query = "UPDATE crystals SET narrative = ?, explanation = ?, questions = ? WHERE material_id = ?"
        texts = [teller.columns[name] for name in ("narrative", "explanation", "questions")]
        self._database.execute(query, (*texts, material_id))

    def structure_keys(self) -> Iterator[tuple[str, int]]:
        """Yield every reduced formula and space group number that occur together, sorted."""
        return self._database.execute("SELECT DISTINCT formula, space_group_number FROM crystals ORDER BY 1, 2")

    def cifs_of(self, formula: str, space_group_number: int) -> dict[str, str]:
        """Return the CIF texts by id, sorted, of the crystals with a reduced formula and space group."""
        query = (
            "SELECT material_id, cif FROM crystals WHERE formula = ? AND space_group_number = ? ORDER BY material_id"
        )
        return dict(self._database.execute(query, (formula, space_group_number)))

    def add_match(self, material_id: str, other_id: str) -> None:
        """Note that a crystal has the structure of a crystal of another store."""
        self._database.execute("INSERT INTO matches VALUES (?, ?)", (material_id, other_id))

    def matches_of(self, material_id: str) -> list[str]:
        """Return the ids noted with `add_match`, sorted."""
        query = "SELECT other_id FROM matches WHERE material_id = ? ORDER BY other_id"
        return [other_id for (other_id,) in self._database.execute(query, (material_id,))]

    def in_order_of_arrival(self) -> Iterator[Crystal]:
        """Yield the crystals in the order in which they were added."""
        return map(_crystal, self._database.execute("SELECT * FROM crystals ORDER BY place"))

    def sorted_by_id(self) -> Iterator[Crystal]:
        """Yield the crystals sorted by material id."""
        return map(_crystal, self._database.execute("SELECT * FROM crystals ORDER BY material_id"))


def _crystal(row: Sequence[Any]) -> Crystal:
    _, *values, files, notes, own_properties = row
    columns = {name: _from_sql(name, value) for name, value in zip(_FIELDS, values, strict=True)}
    return Crystal(
        columns["source"],
        columns["source_id"],
        tuple(json.loads(files)),
        columns,
        tuple(json.loads(notes)),
        json.loads(own_properties),
    )


def _filled(name: str) -> str:
    """Return the SQL for a column that another record completes: parts by element come with their spectrum only."""
    if name in _PROJECTED:
        return f"CASE WHEN {_PROJECTED[name]} IS NULL THEN ? ELSE {name} END"
    return f"COALESCE({name}, ?)"


def _to_sql(value: Any) -> Any:
    if isinstance(value, dict):
        return json.dumps({element: density.tolist() for element, density in value.items()})
    return value.astype(np.float32).tobytes() if isinstance(value, np.ndarray) else value


def _from_sql(name: str, value: Any) -> Any:
    if name in _PROJECTED and value is not None:
        return {element: np.array(density, dtype=np.float32) for element, density in json.loads(value).items()}
    return np.frombuffer(value, dtype=np.float32) if isinstance(value, bytes) else value
