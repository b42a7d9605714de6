"""What a source's raw folder holds: `manifest.json`, which later stages read to tell where their crystals come from."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from stages.shared.sources.files import MANIFEST
from stages.shared.text_files import write_json

Facts = dict[str, str | int]


def write_manifest(folder: Path, origins: Mapping[str, Mapping[str, str | int]] | None = None) -> dict[str, Facts]:
    """Write `folder/manifest.json`, `{"files": {name: {"sha256": …, "bytes": …, …}}}`, for the files in the folder.

    Args:
        folder: holds the raw files of one source and nothing else.
        origins: by file name, what tells the version of a file at its source, for example `{"revision": …}`; nothing
            that changes from one download of the same version to the next.

    Returns:
        the manifest's `files`.
    """
    paths = sorted(path for path in folder.iterdir() if path.is_file() and path.name != MANIFEST)
    files: dict[str, Facts] = {}
    for path in paths:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        files[path.name] = {"sha256": digest, "bytes": path.stat().st_size, **(origins or {}).get(path.name, {})}
    write_json(folder / MANIFEST, {"files": files})
    return files
