"""A stand-in for the Hugging Face hub: a data set at one commit, and its files, which come from another host."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from tests.stages.fetch.loopback import Reply, Request, file_reply

REPOSITORY = "yjeong/GPT-Narratives-for-Materials"
COMMIT = "8f3c1d5e9a7b2046c8d1e3f5a7b9c0d2e4f60718"


class Hub:
    """Answers requests; a file is redirected from the hub to `localhost`, as to the hub's store.

    Args:
        files: by name.
        wrong_digests: whether other digests are told than the files have.
        stall_after: bytes behind which the first file to be sent stalls.
    """

    def __init__(self, files: Mapping[str, bytes], wrong_digests: bool = False, stall_after: int | None = None) -> None:
        self.files = dict(files)
        self.wrong_digests = wrong_digests
        self.stall_after = stall_after

    def __call__(self, request: Request) -> Reply:
        match request.path.removeprefix("/").split("/"):
            case ["api", "datasets", *repository, "revision", revision] if "/".join(repository) == REPOSITORY:
                if revision in ("main", COMMIT):
                    return _json(self.description())
                return Reply(b'{"error": "Invalid rev id"}', 404, {"X-Error-Code": "RevisionNotFound"})
            case ["datasets", *repository, "resolve", revision, name] if "/".join(repository) == REPOSITORY:
                port = urlsplit(f"//{request.headers['Host']}").port
                return Reply(status=302, headers={"Location": f"http://localhost:{port}/store/{revision}/{name}"})
            case ["store", revision, name] if revision == COMMIT:
                cut, self.stall_after = self.stall_after, None
                return replace(file_reply(request, self.files[name]), cut=cut, stall=cut is not None)
        return Reply(status=404)

    def description(self) -> dict[str, object]:
        """Return what the hub says of the data set with `blobs=true`."""
        siblings = []
        for name, content in self.files.items():
            digest = hashlib.sha256(b"else" if self.wrong_digests else content).hexdigest()
            lfs = {"sha256": digest, "size": len(content), "pointerSize": 134}
            siblings.append({"rfilename": name, "size": len(content), "blobId": "0" * 40, "lfs": lfs})
        return {"id": REPOSITORY, "sha": COMMIT, "private": False, "siblings": siblings, "tags": []}


def _json(value: object) -> Reply:
    return Reply(json.dumps(value).encode(), headers={"Content-Type": "application/json; charset=utf-8"})
