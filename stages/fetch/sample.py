"""Copy a source's raw files out of a local folder and check that they are what they should be."""

import hashlib
import shutil
from pathlib import Path

from stages.shared.errors import StageError
from stages.shared.sources.registry import Source
from stages.shared.tables import atomic_file, write_json

DIGESTS = "SHA256SUMS"
MANIFEST = "manifest.json"
_BLOCK = 1 << 20


def copy_source(source: Source, directory: Path, target: Path) -> dict[str, dict[str, str | int]]:
    """Replace `target` by the raw files of `source` found in `directory`, plus a manifest.

    A file counts under its plain name and as `.gz`. The manifest, `{"files": {name: {"sha256": …, "bytes": …}}}`, is
    written even where no file was found. Files that `directory/SHA256SUMS` names must have the digest it gives.

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
    files: dict[str, dict[str, str | int]] = {}
    for path in raw_files(source, directory):
        digest = copy_checked(path, target / path.name, expected.get(path.name))
        files[path.name] = {"sha256": digest, "bytes": path.stat().st_size}
    write_json(target / MANIFEST, {"files": files})
    return files


def copy_checked(path: Path, target: Path, expected: str | None) -> str:
    """Copy a file block by block and return its SHA-256 digest; `target` appears only once the digest is right.

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
    return digest


def raw_files(source: Source, directory: Path) -> list[Path]:
    """Return the raw files of a source in a folder, sorted by name; `.gz` wins where both variants are there."""
    found: list[Path] = []
    for pattern in source.file_patterns:
        plain = sorted(directory.glob(pattern))
        packed = sorted(directory.glob(f"{pattern}.gz"))
        packed_names = {path.name.removesuffix(".gz") for path in packed}
        found += packed + [path for path in plain if path.name not in packed_names]
    return sorted((path for path in found if path.is_file()), key=lambda path: path.name)


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
