"""The download of the narratives, against a stand-in for the Hugging Face hub on this machine."""

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from stages.fetch import narratives
from stages.shared.errors import StageError
from stages.shared.params import NarrativesFetchParams, load_params
from stages.shared.sources.registry import SOURCES
from tests.stages.fetch.hub import COMMIT, REPOSITORY, Hub
from tests.stages.fetch.loopback import HTML, Loopback, Reply, serve, unused_address
from tests.stages.fetch.stage_runs import fetch, remote_params, start_fetch
from tests.stages.raw_records import ROOT, SAMPLE

CORPORA = ["mp_3d_2020", "dft_3d", "oqmd", "aflow2"]
LARGE = np.random.RandomState(0).bytes(3_000_000)


class Served(NamedTuple):
    hub: Hub
    loopback: Loopback

    def ranges_of(self, name: str) -> list[str]:
        """The ranges asked for of a file, "" for the whole."""
        path = f"/store/{COMMIT}/{name}"
        return [request.headers.get("Range", "") for request in self.loopback.requests if request.path == path]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    files = {f"{corpus}_gpt_narratives.parquet": corpus.encode() * 100 for corpus in CORPORA}
    files["mp_3d_2020_gpt_narratives.parquet"] = (SAMPLE / "narratives_mp_3d_2020.parquet").read_bytes()
    files["oqmd_gpt_narratives.parquet"] = LARGE
    hub = Hub(files)
    with serve(hub) as loopback:
        monkeypatch.setenv("HF_ENDPOINT", loopback.url)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setattr("stages.fetch.retries.time.sleep", lambda _: None)
        yield Served(hub, loopback)


def _download(tmp_path: Path, corpora: list[str], revision: str = COMMIT) -> dict[str, dict[str, str | int]]:
    for name in ("raw", "scratch"):
        (tmp_path / name).mkdir(exist_ok=True)
    params = NarrativesFetchParams.model_validate({"corpora": corpora, "revision": revision})
    return narratives.download(params, tmp_path / "raw", tmp_path / "scratch")


def test_all_four_corpora_arrive_byte_by_byte_with_digest_and_commit_in_the_manifest(
    served: Served, tmp_path: Path
) -> None:
    _download(tmp_path, CORPORA)
    expected = {}
    for corpus in CORPORA:
        content = served.hub.files[f"{corpus}_gpt_narratives.parquet"]
        assert (tmp_path / "raw" / f"narratives_{corpus}.parquet").read_bytes() == content
        digest = hashlib.sha256(content).hexdigest()
        facts = {"sha256": digest, "bytes": len(content), "revision": COMMIT}
        expected[f"narratives_{corpus}.parquet"] = facts
    assert json.loads((tmp_path / "raw" / "manifest.json").read_text()) == {"files": expected}


@pytest.mark.usefixtures("served")
def test_what_arrives_is_what_the_parser_of_the_source_reads(tmp_path: Path) -> None:
    _download(tmp_path, ["mp_3d_2020"])
    source = SOURCES["narratives"]
    found, expected = (
        [source.parse(row).narrative for row in source.rows(folder)] for folder in (tmp_path / "raw", SAMPLE)
    )
    assert len(found) == 365
    assert found == expected


def test_a_branch_gives_the_files_of_its_commit_and_says_which_it_is(
    served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = _download(tmp_path, ["dft_3d"], revision="main")
    assert files["narratives_dft_3d.parquet"]["revision"] == COMMIT
    assert f"revision main is commit {COMMIT}" in capsys.readouterr().out
    assert f"/datasets/{REPOSITORY}/resolve/{COMMIT}/dft_3d_gpt_narratives.parquet" in served.loopback.paths()


@pytest.mark.parametrize("source", ["narratives", "phonon_tutorial"])
def test_by_default_a_commit_is_fetched_so_that_it_stays_the_same(source: str) -> None:
    params = load_params("fetch", path=ROOT / "params.yaml").fetch
    assert re.fullmatch(r"[0-9a-f]{40}", getattr(params, source).revision)


def test_a_file_that_the_revision_lacks_is_named(served: Served, tmp_path: Path) -> None:
    del served.hub.files["aflow2_gpt_narratives.parquet"]
    with pytest.raises(StageError, match=r"has no aflow2_gpt_narratives\.parquet"):
        _download(tmp_path, ["aflow2"])


def test_a_busy_hub_is_asked_again(served: Served, tmp_path: Path) -> None:
    _download(tmp_path, ["dft_3d"])  # huggingface_hub asks more when it is used for the first time
    served.loopback.requests.clear()
    served.loopback.faults += [Reply(status=429, headers={"Retry-After": "1"}), Reply(status=503), HTML]
    _download(tmp_path, ["dft_3d"])
    assert len([path for path in served.loopback.paths() if path.startswith("/api/datasets/")]) == 4


def test_a_hub_that_asks_to_wait_for_hours_is_not_waited_for(served: Served, tmp_path: Path) -> None:
    _download(tmp_path, ["dft_3d"])  # huggingface_hub asks more when it is used for the first time
    served.loopback.faults.append(Reply(status=429, headers={"Retry-After": "7200"}))
    with pytest.raises(StageError, match="120 minutes"):
        _download(tmp_path, ["dft_3d"])


def test_a_file_that_is_there_from_an_earlier_run_is_not_asked_for(served: Served, tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch" / "narratives_oqmd.parquet").write_bytes(LARGE)
    _download(tmp_path, ["oqmd", "dft_3d"])
    assert served.ranges_of("oqmd_gpt_narratives.parquet") == []
    assert served.ranges_of("dft_3d_gpt_narratives.parquet") == [""]


def test_a_damaged_file_never_reaches_the_raw_folder(served: Served, tmp_path: Path) -> None:
    served.hub.wrong_digests = True
    with pytest.raises(StageError, match="SHA256"):
        _download(tmp_path, ["dft_3d"])
    assert list((tmp_path / "raw").iterdir()) == []


def test_a_token_goes_to_the_hub_alone_and_into_no_file_line_or_message(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_canary")
    _download(tmp_path, ["dft_3d"], revision="main")
    for request in served.loopback.requests:
        assert ("hf_canary" in str(request.headers)) == (not request.path.startswith("/store/"))
    assert all(b"hf_canary" not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert "hf_canary" not in str(capsys.readouterr())
    served.loopback.faults.append(Reply(status=401))
    with pytest.raises(StageError, match="refuses access") as failure:
        _download(tmp_path, ["dft_3d"])
    assert "hf_canary" not in str(failure.value)


def test_the_stage_killed_in_the_middle_of_a_file_goes_on_there(served: Served, tmp_path: Path) -> None:
    remote_params(tmp_path, "narratives", corpora=["oqmd"], revision=COMMIT)
    served.hub.stall_after = 2_200_000
    process = start_fetch(tmp_path, "narratives", {"HF_ENDPOINT": served.loopback.url})
    assert served.loopback.stalled.wait(60)
    part = _part_of(tmp_path, 2 << 20)  # what fills whole blocks is written
    process.kill()
    process.communicate()
    assert not (tmp_path / "data/raw/narratives/narratives_oqmd.parquet").exists()

    arrived = part.stat().st_size
    again = fetch(tmp_path, "narratives", {"HF_ENDPOINT": served.loopback.url})
    assert again.returncode == 0, again.stderr
    assert served.ranges_of("oqmd_gpt_narratives.parquet") == ["", f"bytes={arrived}-"]
    assert (tmp_path / "data/raw/narratives/narratives_oqmd.parquet").read_bytes() == LARGE
    assert list((tmp_path / "scratch/fetch@narratives").iterdir()) == []


def _part_of(folder: Path, size: int) -> Path:
    """Return the unfinished file as soon as it is as large as that."""
    pause, deadline = threading.Event(), time.monotonic() + 60
    while time.monotonic() < deadline:
        for part in folder.glob("scratch/fetch@narratives/*/.*.part"):
            if part.stat().st_size >= size:
                return part
        pause.wait(0.05)  # the fixture makes time.sleep do nothing
    raise AssertionError("no bytes arrived within a minute")


def test_without_a_network_or_with_a_wrong_revision_the_stage_says_so_in_one_line(
    served: Served, tmp_path: Path
) -> None:
    remote_params(tmp_path, "narratives", revision="nowhere")
    wrong = fetch(tmp_path, "narratives", {"HF_ENDPOINT": served.loopback.url})
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("error: fetch.narratives.revision is 'nowhere', which")
    assert wrong.stderr.count("\n") == 1
    assert len([path for path in served.loopback.paths() if path.startswith("/api/datasets/")]) == 1

    start = time.monotonic()
    alone = fetch(tmp_path, "narratives", {"HF_ENDPOINT": unused_address()})
    assert time.monotonic() - start < 45  # mostly the start of Python on a busy machine
    assert alone.returncode == 1
    assert "is there a network?" in alone.stderr
    assert alone.stderr.count("\n") == 1
