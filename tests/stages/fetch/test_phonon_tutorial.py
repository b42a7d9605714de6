"""The phonon tutorial against a server that holds its repository."""

import hashlib
import json
from pathlib import Path

import pytest

from stages.shared.sources.phonon_tutorial import published_split, rows
from stages.shared.sources.record import RawRow
from tests.stages.fetch.conftest import kill_when_stalled
from tests.stages.fetch.loopback import Reply, Request, file_reply, serve, unused_address
from tests.stages.fetch.stage_runs import fetch, remote_params
from tests.stages.raw_records import phonon_row, write_phonon_tutorial

REPOSITORY = "/ninarina12/phononDoS_tutorial"
ENDPOINT = "XTALK_GITHUB_RAW_ENDPOINT"


@pytest.fixture
def repository(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the repository holds at its revision main, by path."""
    raw = tmp_path_factory.mktemp("repository")
    write_phonon_tutorial(raw, [phonon_row(f"mp-{n}") for n in range(60)], train=[0, 2], valid=[1], test=[59])
    files = {path.name.removeprefix("phonon_tutorial_"): path.read_bytes() for path in raw.rglob("*.*")}
    files["data.csv"] = files.pop("phonon_tutorial.csv")
    return {f"{REPOSITORY}/main/data/{name}": content for name, content in files.items()}


def _answer(repository: dict[str, bytes], request: Request) -> Reply:
    content = repository.get(request.path)
    return Reply(status=404) if content is None else file_reply(request, content)


def test_the_table_and_the_published_sets_arrive_with_their_digests(
    tmp_path: Path, repository: dict[str, bytes]
) -> None:
    remote_params(tmp_path, "phonon_tutorial")
    with serve(lambda request: _answer(repository, request)) as server:
        server.faults.extend([Reply(status=503), Reply(status=429, headers={"Retry-After": "0"})])
        done = fetch(tmp_path, "phonon_tutorial", {ENDPOINT: server.url})
    assert done.returncode == 0, done.stderr
    raw = tmp_path / "data" / "raw" / "phonon_tutorial"
    table = repository[f"{REPOSITORY}/main/data/data.csv"]
    manifest = json.loads((raw / "manifest.json").read_text())["files"]
    facts = {"sha256": hashlib.sha256(table).hexdigest(), "bytes": len(table), "revision": "main"}
    assert manifest["phonon_tutorial.csv"] == facts
    assert {path.name for path in raw.iterdir()} == {*manifest, "manifest.json"}
    found = list(rows(raw))
    assert len(found) == 60
    assert all(isinstance(row, RawRow) for row in found)
    assert published_split(raw) == {"mp-0": "train", "mp-2": "train", "mp-1": "val", "mp-59": "test"}
    assert not list((tmp_path / "scratch" / "fetch@phonon_tutorial").iterdir())


def test_a_killed_run_goes_on_where_it_stopped(tmp_path: Path, repository: dict[str, bytes]) -> None:
    remote_params(tmp_path, "phonon_tutorial")
    path = f"{REPOSITORY}/main/data/data.csv"
    half = len(repository[path]) // 2
    with serve(lambda request: _answer(repository, request)) as server:
        server.faults.append(Reply(repository[path], headers={"ETag": '"1"'}, cut=half, stall=True))
        kill_when_stalled(server, tmp_path, "phonon_tutorial", {ENDPOINT: server.url}, kept="*.part")
        server.requests.clear()
        done = fetch(tmp_path, "phonon_tutorial", {ENDPOINT: server.url})
    assert done.returncode == 0, done.stderr
    first, *others = server.requests
    assert 0 < int(first.headers["Range"].removeprefix("bytes=").removesuffix("-")) <= half
    assert len(others) == 3
    arrived = tmp_path / "data" / "raw" / "phonon_tutorial" / "phonon_tutorial.csv"
    assert arrived.read_bytes() == repository[path]


def test_a_revision_that_is_not_there_or_another_table_is_one_sentence(
    tmp_path: Path, repository: dict[str, bytes]
) -> None:
    other = {path.replace("/main/", "/other/"): b"a,b\n1,2\n" for path in repository}
    with serve(lambda request: _answer(repository | other, request)) as server:
        for revision, sentence in (("0" * 40, "has no "), ("other", "is not the table of phonon densities of states")):
            remote_params(tmp_path, "phonon_tutorial", revision=revision)
            done = fetch(tmp_path, "phonon_tutorial", {ENDPOINT: server.url})
            assert done.returncode == 1
            assert sentence in done.stderr
            assert revision in done.stderr
            assert done.stderr.count("\n") == 1


def test_without_a_network_it_ends_within_seconds(tmp_path: Path) -> None:
    remote_params(tmp_path, "phonon_tutorial")
    done = fetch(tmp_path, "phonon_tutorial", {ENDPOINT: unused_address()})
    assert done.returncode == 1
    assert "is there a network?" in done.stderr
    assert done.stderr.count("\n") == 1
