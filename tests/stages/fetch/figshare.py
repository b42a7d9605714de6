"""A stand-in for figshare: projects, articles with versions, files with their MD5, downloads with ranges."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from stages.fetch.jarvis import DATASETS
from tests.stages.fetch.loopback import Reply, Request, file_reply
from tests.stages.raw_records import read_sample_json

NUMBERS = {name: number for dataset in DATASETS.values() for name, number in dataset.files.items()}
"""The numbers of all files, by the name they get."""
PER_PAGE = 2
"""Articles on a page of a project; more are not given, whatever is asked for."""


def zipped(records: Any, name: str = "some/path/records.json") -> bytes:
    """Pack a list as figshare's archives hold it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), json.dumps(records))
    return packed.getvalue()


def sample_files() -> dict[int, bytes]:
    """Return the sample's records as the files of figshare, by number."""
    properties = read_sample_json("jarvis_dft_3d.json.gz")
    return {
        NUMBERS["jarvis_dft_3d.json.zip"]: zipped(properties),
        NUMBERS["jarvis_dft_3d_2021.json.zip"]: zipped(properties[:50]),
        NUMBERS["jarvis_edos_pdos.json.zip"]: zipped(read_sample_json("jarvis_edos_pdos.json.gz")),
    }


class Figshare:
    """Answers requests; the newest version of an article holds its newest file only.

    A project has an article for each of its data sets, behind two without files.

    Args:
        files: by number.
        wrong_md5: of which files another MD5 is told than they have.
    """

    def __init__(self, files: Mapping[int, bytes], wrong_md5: tuple[int, ...] = ()) -> None:
        self.files = files
        self.wrong_md5 = wrong_md5

    def __call__(self, request: Request) -> Reply:
        match request.path.strip("/").split("/"):
            case ["projects", project, "articles"]:
                start = PER_PAGE * (int(request.query["page"]) - 1)
                articles = [*range(1, 3), *_articles_of(int(project))]
                return _json([{"id": article, "title": "some"} for article in articles[start : start + PER_PAGE]])
            case ["articles", article, "files"]:
                return self._listing(int(article), newest=True)
            case ["articles", _, "versions"]:
                return _json([{"version": number, "url": "elsewhere"} for number in (1, 2)])
            case ["articles", article, "versions", number, "files"]:
                return self._listing(int(article), newest=number == "2")
            case ["file", "download", number]:
                return file_reply(request, self.files[int(number)], etag=f'"{number}"')
        return Reply(status=404)

    def _listing(self, article: int, newest: bool) -> Reply:
        numbers = _files_of(article)
        listed = [number for number in numbers if number in self.files and (number == max(numbers)) == newest]
        return _json([self._facts(number) for number in listed])

    def _facts(self, number: int) -> dict[str, Any]:
        content = b"else" if number in self.wrong_md5 else self.files[number]
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        return {"id": number, "name": f"{number}.zip", "size": len(content), "computed_md5": md5, "supplied_md5": ""}


def _articles_of(project: int) -> list[int]:
    """Return the articles of a project, which the code does not know: called after the first of their files."""
    datasets = [dataset for dataset in DATASETS.values() if (dataset.kind, dataset.number) == ("project", project)]
    return [min(dataset.files.values()) for dataset in datasets]


def _files_of(article: int) -> list[int]:
    return [
        number
        for dataset in DATASETS.values()
        if article == (dataset.number if dataset.kind == "article" else min(dataset.files.values()))
        for number in dataset.files.values()
    ]


def _json(value: Any) -> Reply:
    return Reply(json.dumps(value).encode(), headers={"Content-Type": "application/json; charset=UTF-8"})
