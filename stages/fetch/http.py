"""Downloads over a line that fails: tried again, resumed where they broke off, and checked against their digests.

Whatever a service or the network may get over is tried again, with growing pauses up to a cap; whatever it will not is
a `StageError` at once.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from stages.fetch.retries import PATIENT, RetryPolicy, TemporaryFailure, persevere
from stages.fetch.session import CheckedSession, failure_of, host_of
from stages.shared.errors import StageError
from stages.shared.progress import transfer

_BLOCK = 1 << 16
"""Bytes; what has come of a block when the line breaks is lost."""


def fetch_json(
    url: str,
    *,
    params: Mapping[str, str | int] | None = None,
    headers: Mapping[str, str] | None = None,
    policy: RetryPolicy = PATIENT,
) -> Any:
    """Return what a JSON service answers.

    Args:
        url: without a query.
        params: the query.
        headers: those that hold a key are not sent on to another host.
        policy: how often to try.

    Raises:
        StageError: refused, or failed as often as the policy allows.
    """

    def attempt() -> Any:
        with CheckedSession(policy) as session:
            response = session.get_checked(url, dict(headers or {}), dict(params or {}))
        try:
            return json.loads(response.content)
        except ValueError:
            raise TemporaryFailure("its answer is no complete JSON") from None

    return persevere(attempt, host_of(url), policy)


def fetch_file(
    url: str,
    target: Path,
    *,
    expected_md5: str | None = None,
    expected_sha256: str | None = None,
    headers: Mapping[str, str] | None = None,
    policy: RetryPolicy = PATIENT,
) -> None:
    """Download a file; `target` appears only when it is complete, on the disk, and has the expected digests.

    What has arrived stays in `.<name>.part` beside it, so that the next call, also of another process, asks for the
    rest only. A `target` that is there already, with the expected digests, is left as it is.

    Args:
        url: of the file.
        target: where it goes; its folder is made.
        expected_md5: hexadecimal digest, or None not to check.
        expected_sha256: likewise.
        headers: those that hold a key are not sent on to another host.
        policy: how often to try.

    Raises:
        StageError: refused, failed as often as the policy allows, a digest that is wrong twice, or a disk that is full.
    """
    expected = {"md5": expected_md5, "sha256": expected_sha256}
    if target.is_file() and _wrong_digest(target, expected) is None:
        return
    part = _Part(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(2):  # what an earlier run left in the part may be of another version
            persevere(lambda: part.receive(url, headers, policy), host_of(url), policy)
            wrong = _wrong_digest(part.path, expected)
            if wrong is None:
                part.finish()
                return
            part.discard()
    except OSError as error:
        raise StageError(f"{target} cannot be written: {error.strerror or error}") from None
    raise StageError(f"{target.name} from {host_of(url)} is damaged or another version: {wrong}")


class _Part:
    """The bytes of a file that have arrived, and the ETag or date of the version they belong to.

    A range with `If-Range` is answered by the rest of the same version or, where the file has changed, by the whole of
    the new one (RFC 9110, sections 13.1.5 and 14.2). Without either the download starts anew.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f".{target.name}.part")
        self.version_path = target.with_name(f".{target.name}.part.version")
        self.largest = self.size()

    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def receive(self, url: str, headers: Mapping[str, str] | None, policy: RetryPolicy) -> None:
        """Ask for what is missing and append it.

        Raises:
            TemporaryFailure: the file is still not complete.
        """
        start, version = self.size(), self._version()
        ask = {**(headers or {}), "Accept-Encoding": "identity"}
        if start and version:
            ask |= {"Range": f"bytes={start}-", "If-Range": version}
        with CheckedSession(policy) as session, session.get_checked(url, ask, stream=True) as response:
            told = response.headers.get("Content-Range", "")
            if response.status_code == 416:
                if told == f"bytes */{start}":
                    return  # the last run ended between the last byte and the renaming
                self.discard()
                raise TemporaryFailure("what had arrived did not fit the file")
            if response.status_code == 200:
                start = 0
                self.version_path.write_text(_version_of(response), encoding="utf-8")
            elif not told.startswith(f"bytes {start}-") or _version_of(response) not in ("", version):
                self.discard()
                raise TemporaryFailure("it sent another part of the file than asked for")
            self._append(response, start, policy)

    def _version(self) -> str:
        return self.version_path.read_text(encoding="utf-8") if self.version_path.is_file() else ""

    def _append(self, response: requests.Response, start: int, policy: RetryPolicy) -> None:
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdecimal() else None
        try:
            with self.path.open("ab" if start else "wb") as file, transfer(self.target.name, total, start) as arrived:
                for block in response.iter_content(_BLOCK):
                    file.write(block)
                    arrived(len(block))
        except requests.RequestException as error:
            raise failure_of(error, host_of(response.url), policy, True, self._has_grown()) from None
        if total is not None and self.size() != total:
            raise TemporaryFailure("the answer broke off", progressed=self._has_grown())

    def _has_grown(self) -> bool:
        before, self.largest = self.largest, max(self.largest, self.size())
        return self.largest > before

    def finish(self) -> None:
        """Give the file its name, its bytes being on the disk."""
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        self.path.replace(self.target)
        self.version_path.unlink(missing_ok=True)

    def discard(self) -> None:
        """Forget what has arrived."""
        self.path.unlink(missing_ok=True)
        self.version_path.unlink(missing_ok=True)


def _version_of(response: requests.Response) -> str:
    """Return the strong ETag, else the date of the last change, else nothing."""
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified", "")


def _wrong_digest(path: Path, expected: Mapping[str, str | None]) -> str | None:
    """Return a clause about the first digest that is not the expected one, None where all are."""
    for name, digest in expected.items():
        if digest is None:
            continue
        with path.open("rb") as file:
            found = hashlib.file_digest(file, name).hexdigest()
        if found != digest.lower():
            return f"its {name.upper()} is {found}, not {digest.lower()}"
    return None
