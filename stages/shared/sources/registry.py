"""The sources by name, in the order in which they become crystals: of two with one id the first counts.

Your own files come first, so that they win over the public entry that they may be called after; narratives come last,
since they go to the crystals they tell of.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from stages.shared.sources import jarvis, materials_project, narratives, own, phonon_tutorial
from stages.shared.sources.record import CrystalRecord, RawRow, Reject


@dataclass(frozen=True)
class Source:
    """How to read one source: its rows out of a folder, and a crystal out of a row.

    `file_patterns` are the names of its raw files as glob patterns, without `.gz` or `.zip`.
    """

    name: str
    file_patterns: tuple[str, ...]
    rows: Callable[[Path], Iterator[RawRow | Reject]]
    parse: Callable[[RawRow], CrystalRecord]


SOURCES = {
    source.name: source
    for source in (
        Source(own.SOURCE, own.FILE_PATTERNS, own.rows, own.parse),
        Source(
            materials_project.SOURCE,
            materials_project.FILE_NAMES,
            materials_project.rows,
            materials_project.parse,
        ),
        Source(jarvis.SOURCE, jarvis.FILE_NAMES, jarvis.rows, jarvis.parse),
        Source(
            phonon_tutorial.SOURCE,
            phonon_tutorial.FILE_NAMES,
            phonon_tutorial.rows,
            phonon_tutorial.parse,
        ),
        Source(narratives.SOURCE, (narratives.FILE_PATTERN,), narratives.rows, narratives.parse),
    )
}
