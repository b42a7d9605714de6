"""Copy a source's raw files out of a local folder and check that they are what they should be."""

import hashlib
import shutil
from pathlib import Path

from stages.fetch.manifest import Facts, write_manifest
from stages.shared.atomic import atomic_file
from stages.shared.errors import StageError
from stages.shared.sources.files import PACKED
from stages.shared.sources.registry import Source

DIGESTS = "SHA256SUMS"
_BLOCK = 1 << 20


def copy_source(source: Source, directory: Path, target: Path) -> dict[str, Facts]:
    """Replace `target` by the raw files of `source` found in `directory`, plus a manifest.

    A file counts under its plain name, as `.gz` and as `.zip`. The manifest is written even where no file was found.
    Files that `directory/SHA256SUMS` names must have the digest it gives.

    Returns:
        the manifest's `files`.

    Raises:
        StageError: no such folder, an unreadable SHA256SUMS, or a digest that differs.
    """
    if not directory.is_dir():
        raise StageError(f"fetch.sample_directory is '{directory}', which is no folder; name one with raw files")
    if directory.resolve().is_relative_to(target.resolve()):
        raise StageError(f"fetch.sample_directory is '{directory}', which fetch replaces; name a folder elsewhere")
    expected = read_digests(directory / DIGESTS)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for path in raw_files(source, directory):
        copy_checked(path, target / path.name, expected.get(path.name))
    return write_manifest(target)


def empty_folder(target: Path) -> dict[str, Facts]:
    """Replace `target` by a folder that holds nothing but the manifest of no files, and return its `files`."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    return write_manifest(target)


def copy_checked(path: Path, target: Path, expected: str | None) -> None:
    """Copy a file block by block; `target` appears only once its SHA-256 digest is right.

    Raises:
        StageError: the digest is not the expected one.
    """
    sha256 = hashlib.sha256()
    with path.open("rb") as original, atomic_file(target) as copy:
        while block := original.read(_BLOCK):
            sha256.update(block)
            copy.write(block)
        digest = sha256.hexdigest()
        if expected is not None and digest != expected:
            raise StageError(
                f"{path} is damaged or another version: its SHA-256 is {digest}, {DIGESTS} says {expected}"
            )


def raw_files(source: Source, directory: Path) -> list[Path]:
    """Return the raw files of a source in a folder, sorted by name; of several variants the one that is read."""
    found: dict[str, Path] = {}
    for pattern in source.file_patterns:
        for suffix in (*PACKED, ""):
            for path in directory.glob(f"{pattern}{suffix}"):
                if path.is_file():
                    found.setdefault(path.name.removesuffix(suffix), path)
    return sorted(found.values(), key=lambda path: path.name)


def read_digests(path: Path) -> dict[str, str]:
    """Read a file as `sha256sum` writes it, by file name; empty where there is no such file.

    Raises:
        StageError: a line is not "64 hexadecimal digits, blank, name".
    """
    if not path.is_file():
        return {}
    digests: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if not line.strip():
            continue
        digest, _, name = line.partition(" ")
        if len(digest) != 64 or not name.strip():
            raise StageError(f"{path} has a line that sha256sum did not write: {line[:80]}")
        digests[name.strip().removeprefix("*")] = digest.lower()
    return digests
