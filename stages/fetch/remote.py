"""The download of each source, with a cache that outlives a killed run."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stages.fetch import jarvis, materials_project, narratives, phonon_tutorial
from stages.fetch.manifest import Facts
from stages.shared.params import FetchParams
from stages.shared.scratch import scratch_folder

DOWNLOADS: Mapping[str, Callable[[Any, Path, Path], dict[str, Facts]]] = {
    "materials_project": materials_project.download,
    "jarvis": jarvis.download,
    "narratives": narratives.download,
    "phonon_tutorial": phonon_tutorial.download,
}
"""By source: takes its section of `fetch`, the folder for the raw files and a folder to go on from after a crash."""


def download_source(name: str, params: FetchParams, folder: Path) -> dict[str, Facts]:
    """Replace `folder` by the raw files of a source as they are downloaded now, plus `manifest.json`.

    Whatever was downloaded before a crash lies in `scratch/fetch@<name>` and is not downloaded again.

    Returns:
        the manifest's `files`.

    Raises:
        StageError: the source cannot be reached, refuses, or delivers something else.
    """
    section = getattr(params, name)
    with scratch_folder(f"fetch@{name}", section, []) as scratch:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return DOWNLOADS[name](section, folder, scratch)
