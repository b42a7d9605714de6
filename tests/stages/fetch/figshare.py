"""A stand-in for figshare's interface: articles with versions, files with their MD5, downloads with ranges."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from stages.fetch.jarvis import DATASETS
from tests.stages.fetch.loopback import Reply, Request, file_reply
from tests.stages.raw_records import read_sample_json

NEWEST_DFT_3D = 64391379


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
        DATASETS["dft_3d"].file: zipped(properties),
        DATASETS["dft_3d_2021"].file: zipped(properties[:50]),
        DATASETS["edos_pdos"].file: zipped(read_sample_json("jarvis_edos_pdos.json.gz")),
    }


class Figshare:
    """Answers requests; the newest version of the article of `dft_3d` holds its newest edition only.

    Args:
        files: by number.
        wrong_md5: of which files another MD5 is told than they have.
    """

    def __init__(self, files: Mapping[int, bytes], wrong_md5: tuple[int, ...] = ()) -> None:
        self.files = files
        self.wrong_md5 = wrong_md5

    def __call__(self, request: Request) -> Reply:
        match request.path.strip("/").split("/"):
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
        numbers = [dataset.file for dataset in DATASETS.values() if dataset.article == article]
        listed = [number for number in numbers if number in self.files and (number == max(numbers)) == newest]
        return _json([self._facts(number) for number in listed])

    def _facts(self, number: int) -> dict[str, Any]:
        content = b"else" if number in self.wrong_md5 else self.files[number]
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        return {"id": number, "name": f"{number}.zip", "size": len(content), "computed_md5": md5, "supplied_md5": ""}


def _json(value: Any) -> Reply:
    return Reply(json.dumps(value).encode(), headers={"Content-Type": "application/json; charset=UTF-8"})
