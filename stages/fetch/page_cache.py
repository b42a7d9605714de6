"""What has been downloaded so far, page by page, in a file that survives a killed run."""

import json
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stages.shared.errors import StageError


class PageCache:
    """Records by kind and id in an SQLite database, packed; a page of them is there as a whole or not at all.

    Args:
        path: of the database; made where it does not exist.

    Raises:
        StageError: the file is no database, or the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = sqlite3.connect(path)
        self._execute("CREATE TABLE IF NOT EXISTS pages (kind, page, size, PRIMARY KEY (kind, page))")
        self._execute("CREATE TABLE IF NOT EXISTS records (kind, id, value, PRIMARY KEY (kind, id))")

    def close(self) -> None:
        """Close the file, which stays."""
        self._database.close()

    def page_size(self, kind: str, page: int) -> int | None:
        """Return the number of records that a page came with, None where it has not come yet."""
        row = self._execute("SELECT size FROM pages WHERE kind = ? AND page = ?", (kind, page)).fetchone()
        return None if row is None else int(row[0])

    def add_page(self, kind: str, page: int, size: int, records: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep a page and its records.

        Args:
            kind: of the page.
            page: its number.
            size: the number of records it came with.
            records: by their kind and id, anything that JSON can hold.
        """
        rows = (
            (record_kind, record_id, zlib.compress(json.dumps(value).encode()))
            for record_kind, by_id in records.items()
            for record_id, value in by_id.items()
        )
        try:
            with self._database:  # one transaction
                self._database.executemany("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", rows)
                self._database.execute("INSERT OR REPLACE INTO pages VALUES (?, ?, ?)", (kind, page, size))
        except sqlite3.DatabaseError as error:
            raise self._unusable(error) from None

    def count(self, kind: str) -> int:
        """Return the number of records of a kind."""
        return int(self._execute("SELECT count(*) FROM records WHERE kind = ?", (kind,)).fetchone()[0])

    def ids(self, kind: str) -> Iterator[str]:
        """Yield the ids of a kind in the order of their characters."""
        for (record_id,) in self._execute("SELECT id FROM records WHERE kind = ? ORDER BY id", (kind,)):
            yield record_id

    def get(self, kind: str, record_id: str) -> Any:
        """Return a record, None where there is none."""
        query = "SELECT value FROM records WHERE kind = ? AND id = ?"
        row = self._execute(query, (kind, record_id)).fetchone()
        return None if row is None else json.loads(zlib.decompress(row[0]))

    def _execute(self, query: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        try:
            return self._database.execute(query, values)
        except sqlite3.DatabaseError as error:
            raise self._unusable(error) from None

    def _unusable(self, error: sqlite3.DatabaseError) -> StageError:
        return StageError(f"{self._path} cannot be used ({error}): make room on the disk, or remove the file")
