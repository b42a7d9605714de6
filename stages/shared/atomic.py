"""Files that are written whole or not at all, and one sentence where a file is missing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from stages.shared.errors import StageError


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


def existing(path: Path) -> Path:
    """Return the path of a file that an earlier step made.

    Raises:
        StageError: the file does not exist.
    """
    if not path.exists():
        raise StageError(f"{path} does not exist; run `dvc repro`, which makes it first")
    return path
