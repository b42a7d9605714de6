"""JARVIS data sets from figshare, each one JSON list in a zip archive, kept as it is delivered.

figshare tells the MD5 of a file, and never changes a file under its number. `XTALK_FIGSHARE_ENDPOINT` names another
address of its interface.

Choudhary et al., *The joint automated repository for various integrated simulations (JARVIS) for data-driven materials
design*, npj Computational Materials 6, 173 (2020), doi 10.1038/s41524-020-00440-1.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.fetch.http import fetch_file, fetch_json
from stages.fetch.manifest import Facts, write_manifest
from stages.fetch.session import host_of
from stages.shared.errors import StageError
from stages.shared.params import JarvisFetchParams

ENDPOINT = "https://api.figshare.com/v2"
_PAGE_SIZE = 1000


@dataclass(frozen=True)
class Dataset:
    """Where figshare keeps a data set: the numbers of the article and of the file in it."""

    article: int
    file: int


DATASETS = {
    "dft_3d": Dataset(6815699, 64391379),  # of 2025-09-24, about 94,000 crystals
    "dft_3d_2021": Dataset(6815699, 29204826),  # of 2021-08-18, about 55,700 crystals
    "megnet": Dataset(14177630, 26724977),  # 69,239 crystals
    "edos_pdos": Dataset(14745327, 29216859),  # of 2021-08-18, the spectra of dft_3d_2021
}
"""The files that jarvis-tools 2026.6.12 names under the same names."""


def download(params: JarvisFetchParams, folder: Path, scratch: Path) -> dict[str, Facts]:
    """Write `jarvis_<dataset>.json.zip` of each data set and `manifest.json`, which holds the numbers of the files.

    Args:
        params: the data sets.
        folder: for the raw files.
        scratch: keeps what has arrived until all is there.

    Raises:
        StageError: figshare cannot be reached, refuses or has no such file, or a file is damaged.
    """
    endpoint = os.environ.get("XTALK_FIGSHARE_ENDPOINT", ENDPOINT).rstrip("/")
    names = {name: f"jarvis_{name}.json.zip" for name in params.datasets}
    for dataset, name in names.items():
        wanted = DATASETS[dataset]
        if not (scratch / name).is_file():
            md5 = _md5_of(wanted, endpoint)
            fetch_file(f"{endpoint}/file/download/{wanted.file}", scratch / name, expected_md5=md5)
    for name in names.values():
        shutil.move(scratch / name, folder / name)
    return write_manifest(folder, {name: {"figshare_file": DATASETS[dataset].file} for dataset, name in names.items()})


def _md5_of(wanted: Dataset, endpoint: str) -> str:
    """Return the MD5 that figshare has computed of a file, which may be one of an older version of its article.

    Raises:
        StageError: the article has no such file in any version, or figshare fails.
    """
    for file in _files_of(wanted.article, endpoint):
        if isinstance(file, dict) and file.get("id") == wanted.file:
            md5 = file.get("computed_md5") or file.get("supplied_md5")
            if isinstance(md5, str) and len(md5) == 32:
                return md5
            raise StageError(f"{host_of(endpoint)} names no MD5 of file {wanted.file}, so it cannot be checked")
    raise StageError(
        f"article {wanted.article} of {host_of(endpoint)} has no file {wanted.file} in any version; "
        "name another data set in fetch.jarvis.datasets"
    )


def _files_of(article: int, endpoint: str) -> Iterator[Any]:
    """Yield the files of the newest version, then those of all versions, newest first."""
    page = {"page_size": _PAGE_SIZE}
    url = f"{endpoint}/articles/{article}"
    yield from _list_of(fetch_json(f"{url}/files", params=page), endpoint)
    versions = _list_of(fetch_json(f"{url}/versions"), endpoint)
    numbers = sorted((version["version"] for version in versions if "version" in version), reverse=True)
    for number in numbers:
        yield from _list_of(fetch_json(f"{url}/versions/{number}/files", params=page), endpoint)


def _list_of(answer: Any, endpoint: str) -> list[Any]:
    if not isinstance(answer, list) or not all(isinstance(item, dict) for item in answer):
        raise StageError(f"{host_of(endpoint)} answers with something that is no list of files or versions")
    return answer
