"""The sources by name, in the order in which they become crystals: structures first, narratives after them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from stages.shared.sources import jarvis, materials_project, narratives
from stages.shared.sources.record import CrystalRecord, RawRow, Reject


@dataclass(frozen=True)
class Source:
    """How to read one source: its rows out of a folder, and a crystal out of a row.

    `file_patterns` are the names of its raw files as glob patterns, without `.gz`.
    """

    name: str
    file_patterns: tuple[str, ...]
    rows: Callable[[Path], Iterator[RawRow | Reject]]
    parse: Callable[[RawRow], CrystalRecord]


SOURCES = {
    source.name: source
    for source in (
        Source(
            materials_project.SOURCE,
            materials_project.FILE_NAMES,
            materials_project.rows,
            materials_project.parse,
        ),
        Source(jarvis.SOURCE, jarvis.FILE_NAMES, jarvis.rows, jarvis.parse),
        Source(narratives.SOURCE, (narratives.FILE_PATTERN,), narratives.rows, narratives.parse),
    )
}
