"""The phonon tutorial against a server that holds its repository."""

import hashlib
import json
from pathlib import Path

import pytest

from stages.shared.params import load_params
from stages.shared.sources.phonon_tutorial import published_split, rows
from stages.shared.sources.record import RawRow
from tests.stages.fetch.conftest import kill_when_stalled
from tests.stages.fetch.loopback import Reply, Request, file_reply, serve, unused_address
from tests.stages.fetch.stage_runs import fetch, remote_params
from tests.stages.raw_records import ROOT, phonon_row, write_phonon_tutorial

REPOSITORY = "/ninarina12/phononDoS_tutorial"
COMMIT = load_params("fetch", path=ROOT / "params.yaml").fetch.phonon_tutorial.revision
ENDPOINT = "XTALK_GITHUB_RAW_ENDPOINT"
API = "XTALK_GITHUB_API_ENDPOINT"


@pytest.fixture
def repository(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the repository holds at the commit of params.yaml, by path."""
    raw = tmp_path_factory.mktemp("repository")
    write_phonon_tutorial(raw, [phonon_row(f"mp-{n}") for n in range(60)], train=[0, 2], valid=[1], test=[59])
    files = {path.name.removeprefix("phonon_tutorial_"): path.read_bytes() for path in raw.rglob("*.*")}
    files["data.csv"] = files.pop("phonon_tutorial.csv")
    return {f"{REPOSITORY}/{COMMIT}/data/{name}": content for name, content in files.items()}


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
    table = repository[f"{REPOSITORY}/{COMMIT}/data/data.csv"]
    manifest = json.loads((raw / "manifest.json").read_text())["files"]
    facts = {"sha256": hashlib.sha256(table).hexdigest(), "bytes": len(table), "revision": COMMIT}
    assert manifest["phonon_tutorial.csv"] == facts
    assert {path.name for path in raw.iterdir()} == {*manifest, "manifest.json"}
    found = list(rows(raw))
    assert len(found) == 60
    assert all(isinstance(row, RawRow) for row in found)
    assert published_split(raw) == {"mp-0": "train", "mp-2": "train", "mp-1": "val", "mp-59": "test"}
    assert not list((tmp_path / "scratch" / "fetch@phonon_tutorial").iterdir())


def test_a_killed_run_goes_on_where_it_stopped(tmp_path: Path, repository: dict[str, bytes]) -> None:
    remote_params(tmp_path, "phonon_tutorial")
    path = f"{REPOSITORY}/{COMMIT}/data/data.csv"
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
    other = {path.replace(COMMIT, "1" * 40): b"a,b\n1,2\n" for path in repository}
    sentences = {"0" * 40: "has no ", "1" * 40: "is not the table of phonon densities of states", "nowhere": "has no "}
    with serve(lambda request: _answer(repository | other, request)) as server:
        for revision, sentence in sentences.items():
            remote_params(tmp_path, "phonon_tutorial", revision=revision)
            done = fetch(tmp_path, "phonon_tutorial", {ENDPOINT: server.url, API: server.url})
            assert done.returncode == 1
            assert sentence in done.stderr
            assert revision in done.stderr
            assert done.stderr.count("\n") == 1


def test_a_branch_gives_the_files_of_its_commit_which_is_said_and_stands_in_the_manifest(
    tmp_path: Path, repository: dict[str, bytes]
) -> None:
    repository[f"/repos{REPOSITORY}/commits/main"] = json.dumps({"sha": COMMIT, "commit": {}}).encode()
    remote_params(tmp_path, "phonon_tutorial", revision="main")
    with serve(lambda request: _answer(repository, request)) as server:
        done = fetch(tmp_path, "phonon_tutorial", {ENDPOINT: server.url, API: server.url})
    assert done.returncode == 0, done.stderr
    assert f"revision main is commit {COMMIT}; fetch.phonon_tutorial.revision may name it for good" in done.stdout
    manifest = json.loads((tmp_path / "data/raw/phonon_tutorial/manifest.json").read_text())["files"]
    assert {facts["revision"] for facts in manifest.values()} == {COMMIT}


def test_what_a_killed_run_had_of_a_branch_that_has_moved_is_not_mixed_with_what_it_is_now(
    tmp_path: Path, repository: dict[str, bytes]
) -> None:
    moved = "2" * 40
    repository |= {path.replace(COMMIT, moved): content + b" " for path, content in repository.items()}
    place = f"/repos{REPOSITORY}/commits/main"
    remote_params(tmp_path, "phonon_tutorial", revision="main")
    with serve(lambda request: _answer(repository, request)) as server:
        environment = {ENDPOINT: server.url, API: server.url}
        repository[place] = json.dumps({"sha": COMMIT}).encode()
        del repository[f"{REPOSITORY}/{COMMIT}/data/idx_test.txt"]  # the last one
        assert fetch(tmp_path, "phonon_tutorial", environment).returncode == 1
        repository[place] = json.dumps({"sha": moved}).encode()
        assert fetch(tmp_path, "phonon_tutorial", environment).returncode == 0
    table = tmp_path / "data/raw/phonon_tutorial/phonon_tutorial.csv"
    assert table.read_bytes() == repository[f"{REPOSITORY}/{moved}/data/data.csv"]


def test_an_answer_about_no_commit_is_one_sentence(tmp_path: Path) -> None:
    remote_params(tmp_path, "phonon_tutorial", revision="main")
    with serve(lambda _: Reply(b'{"message": "moved"}')) as server:
        done = fetch(tmp_path, "phonon_tutorial", {ENDPOINT: server.url, API: server.url})
    assert done.returncode == 1
    assert "does not tell which commit" in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_a_network_it_ends_within_seconds(tmp_path: Path) -> None:
    remote_params(tmp_path, "phonon_tutorial")
    done = fetch(tmp_path, "phonon_tutorial", {ENDPOINT: unused_address()})
    assert done.returncode == 1
    assert "is there a network?" in done.stderr
    assert done.stderr.count("\n") == 1
