"""JARVIS data sets from figshare, each one zipped JSON list or three pickled lists, kept as they are delivered.

figshare tells the MD5 of a file, and never changes a file under its number. `XTALK_FIGSHARE_ENDPOINT` names another
address of its interface.

Choudhary et al., *The joint automated repository for various integrated simulations (JARVIS) for data-driven materials
design*, npj Computational Materials 6, 173 (2020), doi 10.1038/s41524-020-00440-1.
"""

import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Literal

from stages.fetch.http import fetch_file, fetch_json
from stages.fetch.manifest import Facts, write_manifest
from stages.fetch.session import host_of
from stages.shared.errors import StageError
from stages.shared.params import JarvisFetchParams

ENDPOINT = "https://api.figshare.com/v2"
_PAGE_SIZE = 1000


@dataclass(frozen=True)
class Dataset:
    """Where figshare keeps a data set: in one article, or in several articles of a project, whose numbers it lists.

    Args:
        kind: of what has the number.
        number: of the article or project.
        files: the number of each file, by the name it gets here.
    """

    kind: Literal["article", "project"]
    number: int
    files: Mapping[str, int]


DATASETS = {
    # of 2025-09-24, about 94,000 crystals
    "dft_3d": Dataset("article", 6815699, {"jarvis_dft_3d.json.zip": 64391379}),
    # of 2021-08-18, about 55,700 crystals
    "dft_3d_2021": Dataset("article", 6815699, {"jarvis_dft_3d_2021.json.zip": 29204826}),
    # 69,239 crystals
    "megnet": Dataset("article", 14177630, {"jarvis_megnet.json.zip": 26724977}),
    # 5,450 of these crystals, with moduli as log10 of GPa
    "megnet_bulk": Dataset(
        "project",
        165430,
        {
            "jarvis_megnet_bulk_train.pkl": 40258705,
            "jarvis_megnet_bulk_val.pkl": 40258675,
            "jarvis_megnet_bulk_test.pkl": 40258666,
        },
    ),
    "megnet_shear": Dataset(
        "project",
        165430,
        {
            "jarvis_megnet_shear_train.pkl": 40258681,
            "jarvis_megnet_shear_val.pkl": 40258684,
            "jarvis_megnet_shear_test.pkl": 40258678,
        },
    ),
    # of 2021-08-18, the spectra of dft_3d_2021
    "edos_pdos": Dataset("article", 14745327, {"jarvis_edos_pdos.json.zip": 29216859}),
}
"""The files that jarvis-tools 2026.6.12 names under the same names, and those of Matformer's authors."""


def download(params: JarvisFetchParams, folder: Path, scratch: Path) -> dict[str, Facts]:
    """Write the files of each data set and `manifest.json`, which holds their numbers.

    Args:
        params: the data sets.
        folder: for the raw files.
        scratch: keeps what has arrived until all is there.

    Raises:
        StageError: figshare cannot be reached, refuses or has no such file, or a file is damaged.
    """
    endpoint = os.environ.get("XTALK_FIGSHARE_ENDPOINT", ENDPOINT).rstrip("/")
    numbers: dict[str, int] = {}
    for dataset in (DATASETS[name] for name in params.datasets):
        numbers |= dataset.files
        missing = {name: number for name, number in dataset.files.items() if not (scratch / name).is_file()}
        if missing:
            md5s = _md5s_of(list(missing.values()), dataset, endpoint)
            for name, number in missing.items():
                fetch_file(f"{endpoint}/file/download/{number}", scratch / name, expected_md5=md5s[number])
    for name in numbers:
        shutil.move(scratch / name, folder / name)
    return write_manifest(folder, {name: {"figshare_file": number} for name, number in numbers.items()})


def _md5s_of(wanted: Collection[int], dataset: Dataset, endpoint: str) -> dict[int, str]:
    """Return the MD5s that figshare has computed of files, which may be of older versions of their articles.

    Raises:
        StageError: there is no such file in any version, or figshare fails.
    """
    md5s: dict[int, str] = {}
    for file in _files_of(dataset, endpoint):
        number = file.get("id")
        if not isinstance(number, int) or number not in wanted:
            continue
        md5 = file.get("computed_md5") or file.get("supplied_md5")
        if not isinstance(md5, str) or len(md5) != 32:
            raise StageError(f"{host_of(endpoint)} names no MD5 of file {number}, so it cannot be checked")
        md5s[number] = md5
        if len(md5s) == len(wanted):
            return md5s
    unknown = next(number for number in wanted if number not in md5s)
    raise StageError(
        f"{dataset.kind} {dataset.number} of {host_of(endpoint)} has no file {unknown} in any version; "
        "name another data set in fetch.jarvis.datasets"
    )


def _files_of(dataset: Dataset, endpoint: str) -> Iterator[dict[str, Any]]:
    """Yield the files of the newest version of each article, then those of all versions, newest first."""
    page = {"page_size": _PAGE_SIZE}
    urls = [f"{endpoint}/articles/{article}" for article in _articles_of(dataset, endpoint)]
    for url in urls:
        yield from _list_of(fetch_json(f"{url}/files", params=page), endpoint)
    for url in urls:
        versions = _list_of(fetch_json(f"{url}/versions"), endpoint)
        for number in sorted((version["version"] for version in versions if "version" in version), reverse=True):
            yield from _list_of(fetch_json(f"{url}/versions/{number}/files", params=page), endpoint)


def _articles_of(dataset: Dataset, endpoint: str) -> list[int]:
    if dataset.kind == "article":
        return [dataset.number]
    articles: list[int] = []
    for page in count(1):
        query = {"page_size": _PAGE_SIZE, "page": page}
        listed = _list_of(fetch_json(f"{endpoint}/projects/{dataset.number}/articles", params=query), endpoint)
        new = [article["id"] for article in listed if "id" in article and article["id"] not in articles]
        if not new:  # behind the last page, or a service that answers every page with the first
            break
        articles += new
    return articles


def _list_of(answer: Any, endpoint: str) -> list[dict[str, Any]]:
    if not isinstance(answer, list) or not all(isinstance(item, dict) for item in answer):
        raise StageError(f"{host_of(endpoint)} answers with something that is no list of articles, files or versions")
    return answer
