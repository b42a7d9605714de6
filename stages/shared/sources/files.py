"""Reading raw files that may be compressed, broken off, or missing."""

import gzip
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

MANIFEST = "manifest.json"
"""Stands in each folder of raw files and names them, with their digests and what tells their version."""
PACKED = (".gz", ".zip")
"""Suffixes behind the plain name of a raw file that its reader understands, in the order in which they win."""
_BLOCK = 1 << 20
_UNREADABLE = (EOFError, OSError, zlib.error, zipfile.BadZipFile)


class BrokenFile(ValueError):
    """A raw file that ends too early or is not what its name says; the message tells where."""


def read_manifest(folder: Path) -> dict[str, dict[str, str | int]]:
    """Return what `folder/manifest.json` says of each raw file; nothing where it is missing or no manifest."""
    path = folder / MANIFEST
    try:
        files = json.loads(path.read_text(encoding="utf-8"))["files"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}
    return files if isinstance(files, dict) else {}


def find_raw_file(folder: Path, name: str) -> Path | None:
    """Return the first of `folder/name.gz`, `folder/name.zip` and `folder/name` that exists; None where none does."""
    for path in (folder / f"{name}{suffix}" for suffix in (*PACKED, "")):
        if path.is_file():
            return path
    return None


def open_text(path: Path) -> IO[str]:
    """Open a UTF-8 file, plain, as `.gz` or alone in a `.zip`, for reading; bytes that are no UTF-8 become U+FFFD.

    Raises:
        BrokenFile: a zip archive that is damaged, encrypted, or holds anything but one file.
    """
    return io.TextIOWrapper(_open_bytes(path), encoding="utf-8", errors="replace")


def read_bytes(path: Path) -> bytes:
    """Return the whole content of a file, plain, as `.gz` or alone in a `.zip`.

    Raises:
        BrokenFile: the compressed data break off or are damaged, or a zip archive holds anything but one file.
    """
    with _open_bytes(path) as file:
        try:
            return file.read()
        except _UNREADABLE as error:
            raise BrokenFile(f"{path.name} cannot be read: {error}") from None


def _open_bytes(path: Path) -> IO[bytes] | gzip.GzipFile:
    if path.suffix == ".gz":
        return gzip.open(path)
    if path.suffix == ".zip":
        return _open_zipped(path)
    return path.open("rb")


def _open_zipped(path: Path) -> IO[bytes]:
    """Open the file in a zip archive as a stream. It is not extracted: what path the archive gives it is not used."""
    try:
        with zipfile.ZipFile(path) as archive:  # the member keeps the archive open
            members = [
                member
                for member in archive.infolist()
                if not member.is_dir() and not member.filename.startswith("__MACOSX/")
            ]
            if len(members) != 1:
                raise BrokenFile(f"{path.name} holds {len(members)} files, not one")
            return archive.open(members[0])
    # an encrypted file is a RuntimeError, an unknown compression a NotImplementedError, which is one too
    except (*_UNREADABLE, RuntimeError) as error:
        raise BrokenFile(f"{path.name} cannot be read: {error}") from None


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
        except _UNREADABLE as error:
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
    except _UNREADABLE as error:
        raise BrokenFile(f"{path.name} cannot be read any further: {error}") from None


def _skip(text: str, position: int, characters: str) -> int:
    while position < len(text) and text[position] in characters:
        position += 1
    return position
