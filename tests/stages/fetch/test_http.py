import hashlib
import json
import random
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path

import pytest

from stages.fetch.http import fetch_file, fetch_json
from stages.fetch.retries import RetryPolicy, TemporaryFailure, persevere
from stages.shared.errors import StageError
from tests.stages.fetch.loopback import HTML, Reply, Request, file_reply, serve, sleeps_instead, unused_address

QUICK = RetryPolicy(attempts=4, first_wait=0.001, longest_wait=0.01, connect_timeout=2.0, read_timeout=0.5)
BODY = random.Random(0).randbytes(1_000_000)
BLOCK = 1 << 16  # at most so much of what came before a break may be lost
MD5 = hashlib.md5(BODY, usedforsecurity=False).hexdigest()
SHA256 = hashlib.sha256(BODY).hexdigest()
ANSWER = {"rows": [1, 2, 3]}


def _file(request: Request) -> Reply:
    return file_reply(request, BODY)


def _json(request: Request) -> Reply:
    return Reply(json.dumps(ANSWER).encode(), headers={"Content-Type": "application/json"})


FAULTS = {
    "rate limit": Reply(status=429, headers={"Retry-After": "0"}),
    "server error": Reply(status=500),
    "bad gateway": Reply(status=502),
    "unavailable": Reply(status=503),
    "taken for a robot": Reply(b"<html></html>", 202, {"Content-Type": "text/html"}),
    "web page": HTML,
    "truncated": Reply(BODY, headers={"ETag": '"1"'}, cut=1000),
    "nothing at all": Reply(BODY, cut=0),
    "stalled": Reply(BODY, headers={"ETag": '"1"'}, cut=2000, stall=True),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_file_comes_whole_however_the_first_attempts_fail(fault: Reply, tmp_path: Path) -> None:
    with serve(_file) as server:
        server.faults.extend([fault, fault])
        fetch_file(f"{server.url}/file", tmp_path / "file", expected_md5=MD5, expected_sha256=SHA256, policy=QUICK)
        assert len(server.requests) == 3
    assert (tmp_path / "file").read_bytes() == BODY
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_an_answer_comes_whole_however_the_first_attempts_fail(fault: Reply) -> None:
    with serve(_json) as server:
        server.faults.extend([fault, Reply(b'{"rows": [1,'), fault])
        assert fetch_json(server.url, policy=QUICK) == ANSWER
        assert len(server.requests) == 4


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_failures_without_end_are_one_sentence_after_the_allowed_attempts(fault: Reply, tmp_path: Path) -> None:
    with serve(lambda request: fault) as server:
        with pytest.raises(StageError, match=r"^127\.0\.0\.1 failed 4 times in a row, the last time: .*run it again"):
            fetch_file(f"{server.url}/file?key=secret", tmp_path / "file", policy=QUICK)
        assert len(server.requests) in (4, 5)  # the first bytes count as progress
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize(
    ("status", "sentence"), [(401, "is the key right"), (403, "is the key right"), (404, "has no /a")]
)
def test_a_refusal_is_not_tried_again(status: int, sentence: str, tmp_path: Path) -> None:
    with serve(lambda request: Reply(status=status)) as server:
        for fetch in (lambda: fetch_json(f"{server.url}/a"), lambda: fetch_file(f"{server.url}/a", tmp_path / "a")):
            with pytest.raises(StageError, match=sentence):
                fetch()
        assert len(server.requests) == 2


def test_without_a_network_the_sentence_comes_within_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeps = sleeps_instead(monkeypatch)
    with pytest.raises(StageError, match=r"no connection \(is there a network\?\)"):
        fetch_file(f"{unused_address()}/file", tmp_path / "file")
    assert sum(sleeps) < 3


def test_a_file_goes_on_where_it_broke_off_however_often(tmp_path: Path) -> None:
    step = 150_000

    def in_pieces(request: Request) -> Reply:
        whole = file_reply(request, BODY)
        return Reply(whole.body, whole.status, whole.headers, cut=step) if len(whole.body) > step else whole

    with serve(in_pieces) as server:
        fetch_file(f"{server.url}/file", tmp_path / "file", expected_sha256=SHA256, policy=QUICK)
        ranges = [request.headers["Range"] for request in server.requests[1:]]
    starts = [0, *(int(one.removeprefix("bytes=").removesuffix("-")) for one in ranges)]
    gained = [after - before for before, after in pairwise(starts)]
    assert len(gained) >= len(BODY) // step
    assert all(step - BLOCK < bytes_kept <= step for bytes_kept in gained)
    assert (tmp_path / "file").read_bytes() == BODY


def test_another_call_asks_for_the_rest_only(tmp_path: Path) -> None:
    with serve(_file) as server:
        server.faults.extend([Reply(BODY, headers={"ETag": '"1"'}, cut=123_456)] + [Reply(status=503)] * 3)
        with pytest.raises(StageError):
            fetch_file(server.url, tmp_path / "file", policy=QUICK)
        server.requests.clear()
        fetch_file(server.url, tmp_path / "file", policy=QUICK)
        (request,) = server.requests
        assert 123_456 - BLOCK < int(request.headers["Range"].removeprefix("bytes=").removesuffix("-")) <= 123_456
    assert (tmp_path / "file").read_bytes() == BODY


def test_a_file_that_changed_meanwhile_is_not_patched_together(tmp_path: Path) -> None:
    with serve(_file) as server:
        old = bytes(len(BODY))
        server.faults.append(Reply(old, headers={"ETag": '"0"'}, cut=100_000))
        fetch_file(server.url, tmp_path / "file", policy=QUICK)
        assert server.requests[1].headers["If-Range"] == '"0"'
    assert (tmp_path / "file").read_bytes() == BODY


def test_a_server_without_versions_is_asked_for_the_whole_file_again(tmp_path: Path) -> None:
    with serve(lambda request: Reply(BODY)) as server:
        server.faults.append(Reply(BODY, cut=100_000))
        fetch_file(server.url, tmp_path / "file", policy=QUICK)
        assert "Range" not in server.requests[1].headers
    assert (tmp_path / "file").read_bytes() == BODY


def test_a_run_that_ended_before_the_renaming_asks_for_no_byte_again(tmp_path: Path) -> None:
    (tmp_path / ".file.part").write_bytes(BODY)
    (tmp_path / ".file.part.version").write_text('"1"')
    with serve(_file) as server:
        fetch_file(server.url, tmp_path / "file", expected_sha256=SHA256, policy=QUICK)
        assert len(server.requests) == 1
    assert (tmp_path / "file").read_bytes() == BODY


def test_a_part_that_is_damaged_is_fetched_once_more(tmp_path: Path) -> None:
    (tmp_path / ".file.part").write_bytes(b"x" * 1000)
    (tmp_path / ".file.part.version").write_text('"1"')
    with serve(_file) as server:
        fetch_file(server.url, tmp_path / "file", expected_md5=MD5, policy=QUICK)
    assert (tmp_path / "file").read_bytes() == BODY


@pytest.mark.parametrize("name", ["md5", "sha256"])
def test_a_wrong_digest_is_one_sentence_with_both(name: str, tmp_path: Path) -> None:
    found, expected = {"md5": (MD5, "0" * 32), "sha256": (SHA256, "0" * 64)}[name]
    with serve(_file) as server, pytest.raises(StageError, match=f"its {name.upper()} is {found}, not {expected}"):
        fetch_file(server.url, tmp_path / "file", policy=QUICK, **{f"expected_{name}": expected})
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_not_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(BODY)
    with serve(_file) as server:
        fetch_file(server.url, tmp_path / "file", expected_md5=MD5, policy=QUICK)
        assert server.requests == []


def test_pauses_double_within_their_jitter_up_to_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    sleeps = sleeps_instead(monkeypatch)

    def fail() -> None:
        raise TemporaryFailure("no")

    with pytest.raises(StageError):
        persevere(fail, "it", RetryPolicy(attempts=12, first_wait=0.5, longest_wait=60.0))
    middles = [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert all(0.5 * middle <= sleep <= 1.5 * middle for sleep, middle in zip(sleeps, middles, strict=True))
    assert len({sleep / middle for sleep, middle in zip(sleeps, middles, strict=True)}) == len(middles)


def _in_seconds() -> str:
    return "7"


def _at_a_date() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=8), usegmt=True)


@pytest.mark.parametrize("retry_after", [_in_seconds, _at_a_date])
def test_a_service_is_left_alone_for_as_long_as_it_asks(
    retry_after: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeps = sleeps_instead(monkeypatch)
    with serve(_json) as server:
        server.faults.append(Reply(status=429, headers={"Retry-After": retry_after()}))
        assert fetch_json(server.url, policy=QUICK) == ANSWER
    assert 6 <= sleeps[0] <= 8.1


def test_a_service_that_asks_for_hours_is_one_sentence() -> None:
    with serve(lambda request: Reply(status=429, headers={"Retry-After": "7200"})) as server:
        with pytest.raises(StageError, match="come back in 120 minutes"):
            fetch_json(server.url, policy=QUICK)
        assert len(server.requests) == 1


def test_a_key_goes_to_no_other_host_and_into_no_message(tmp_path: Path) -> None:
    key = "c4n4ry"
    keys = {"Authorization": f"Bearer {key}", "X-Api-Key": key}
    with serve(_file) as other:
        elsewhere = other.url.replace("127.0.0.1", "localhost")
        with serve(lambda request: Reply(status=302, headers={"Location": f"{elsewhere}/file"})) as server:
            fetch_file(f"{server.url}/file", tmp_path / "file", headers=keys, policy=QUICK)
            assert server.requests[0].headers["X-Api-Key"] == key
        assert key not in str(other.requests)
    assert (tmp_path / "file").read_bytes() == BODY
    for status in (403, 404, 500):
        with (
            serve(lambda request, status=status: Reply(status=status)) as server,
            pytest.raises(StageError) as caught,
        ):
            fetch_json(server.url, params={"key": key}, headers=keys, policy=QUICK)
        assert key not in "".join(traceback.format_exception(caught.value))
