"""Texts on disk while the files that belong together are joined, so that memory does not grow with their number."""

import sqlite3
from collections.abc import Iterator

from stages.shared.errors import StageError

_IN_MEMORY_KIB = 4096


class TextStore:
    """Texts by name, in the order in which they came, in a temporary SQLite database.

    SQLite keeps it in the folder `SQLITE_TMPDIR` or `TMPDIR` and removes it with the process, however that ends. In
    memory are 4 MiB of it.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute(f"PRAGMA cache_size = -{_IN_MEMORY_KIB}")
        self._database.execute("CREATE TABLE texts (place INTEGER PRIMARY KEY, name UNIQUE, text, taken DEFAULT 0)")

    def close(self) -> None:
        """Remove the database."""
        self._database.close()

    def add(self, name: str, text: str) -> bool:
        """Keep a text; False, and nothing kept, where the name is known.

        Raises:
            StageError: the disk is full.
        """
        try:
            added = self._database.execute("INSERT OR IGNORE INTO texts (name, text) VALUES (?, ?)", (name, text))
        except sqlite3.OperationalError as error:
            raise StageError(f"{error}: set TMPDIR to a folder with room for the raw files") from None
        return added.rowcount == 1

    def take(self, name: str) -> str | None:
        """Return the text of a name the first time it is asked for; None after that, and for an unknown name."""
        query = "SELECT text FROM texts WHERE name = ? AND NOT taken"
        found = self._database.execute(query, (name,)).fetchone()
        if found is None:
            return None
        self._database.execute("UPDATE texts SET taken = 1 WHERE name = ?", (name,))
        return str(found[0])

    def left_over(self) -> Iterator[tuple[str, str]]:
        """Yield name and text of what was never taken, in the order in which it came."""
        return self._database.execute("SELECT name, text FROM texts WHERE NOT taken ORDER BY place")
