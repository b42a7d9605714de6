"""Reading raw files that may be compressed, broken off, or missing."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

_BLOCK = 1 << 20


class BrokenFile(ValueError):
    """A raw file that ends too early or is not what its name says; the message tells where."""


def find_raw_file(folder: Path, name: str) -> Path | None:
    """Return `folder/name.gz` or, where there is none, `folder/name`; None where neither exists."""
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    return None


def open_text(path: Path) -> IO[str]:
    """Open a plain or gzip-compressed UTF-8 file for reading; bytes that are no UTF-8 become U+FFFD."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", errors="replace")
    return path.open(encoding="utf-8", errors="replace")


def iterate_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a text file that are not blank, without their line ends.

    Raises:
        BrokenFile: the compressed data break off or are damaged.
    """
    with open_text(path) as file:
        try:
            for line in file:
                if line.strip():
                    yield line.rstrip("\r\n")
        except (EOFError, OSError, zlib.error) as error:
            raise BrokenFile(f"{path.name} cannot be read any further: {error}") from None


def iterate_json_array(path: Path) -> Iterator[tuple[Any, str]]:
    """Yield each element of a JSON array together with its text, holding one element and one block in memory.

    Raises:
        BrokenFile: the file is no JSON array, or breaks off or is damaged behind the elements yielded so far.
    """
    decoder = json.JSONDecoder()
    with open_text(path) as file:
        buffer = _read(file, _BLOCK, path).lstrip()
        if not buffer.startswith("["):
            raise BrokenFile(f"{path.name} is no JSON list")
        buffer, position, count, block = buffer, 1, 0, _BLOCK
        while True:
            position = _skip(buffer, position, " \t\r\n,")
            if buffer.startswith("]", position):
                return
            try:
                element, end = decoder.raw_decode(buffer, position)
                # a number at the end of the block may go on in the next
                complete = buffer.startswith((",", "]"), _skip(buffer, end, " \t\r\n"))
            except (ValueError, RecursionError):
                complete = False
            if not complete:
                more = _read(file, block, path)
                if not more:
                    raise BrokenFile(f"{path.name} breaks off or is damaged behind record {count}")
                # a doubled block keeps the work linear where one element spans many blocks
                buffer, position, block = buffer[position:] + more, 0, 2 * block
                continue
            yield element, buffer[position:end]
            count, position, block = count + 1, end, _BLOCK


def _read(file: IO[str], size: int, path: Path) -> str:
    try:
        return file.read(size)
    except (EOFError, OSError, zlib.error) as error:
        raise BrokenFile(f"{path.name} cannot be read any further: {error}") from None


def _skip(text: str, position: int, characters: str) -> int:
    while position < len(text) and text[position] in characters:
        position += 1
    return position
