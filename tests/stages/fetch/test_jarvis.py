import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from stages.fetch.jarvis import DATASETS, download
from stages.shared.errors import StageError
from stages.shared.params import JarvisFetchParams
from stages.shared.sources import jarvis
from stages.shared.sources.record import RawRow
from tests.stages.fetch.figshare import Figshare, sample_files
from tests.stages.fetch.loopback import HTML, Loopback, Reply, serve, unused_address
from tests.stages.fetch.stage_runs import fetch, remote_params
from tests.stages.raw_records import SAMPLE

ENDPOINT = "XTALK_FIGSHARE_ENDPOINT"


def _download(server: Loopback, folder: Path, monkeypatch: pytest.MonkeyPatch, *datasets: str) -> dict[str, object]:
    monkeypatch.setenv(ENDPOINT, server.url)
    (folder / "raw").mkdir(parents=True)
    (folder / "scratch").mkdir()
    params = JarvisFetchParams.model_validate({"datasets": list(datasets)})
    return dict(download(params, folder / "raw", folder / "scratch"))


def _records(folder: Path) -> list[Any]:
    """The rows of both files, JSON text decoded."""
    rows = list(jarvis.rows(folder))
    assert all(isinstance(row, RawRow) for row in rows)
    return [
        {name: json.loads(part) if isinstance(part, str) else part for name, part in row.parts.items()} for row in rows
    ]


def test_the_stage_gives_the_crystals_of_the_sample(tmp_path: Path) -> None:
    remote_params(tmp_path, "jarvis", datasets=["dft_3d", "edos_pdos"])
    with serve(Figshare(sample_files())) as server:
        server.faults.extend([Reply(status=503), HTML])
        run = fetch(tmp_path, "jarvis", {ENDPOINT: server.url})
    assert run.returncode == 0, run.stderr
    (tmp_path / "sample").mkdir()
    for name in ("jarvis_dft_3d.json.gz", "jarvis_edos_pdos.json.gz"):
        shutil.copy(SAMPLE / name, tmp_path / "sample")
    downloaded = _records(tmp_path / "data/raw/jarvis")
    assert len(downloaded) == 144
    assert downloaded == _records(tmp_path / "sample")
    assert not list((tmp_path / "scratch").rglob("*.zip"))


def test_the_manifest_names_the_files_of_figshare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = sample_files()
    with serve(Figshare(files)) as server:
        facts = _download(server, tmp_path, monkeypatch, "dft_3d")
    content = files[64391379]
    assert facts == {
        "jarvis_dft_3d.json.zip": {
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "figshare_file": 64391379,
        }
    }
    assert json.loads((tmp_path / "raw/manifest.json").read_text()) == {"files": facts}
    assert (tmp_path / "raw/jarvis_dft_3d.json.zip").read_bytes() == content


def test_a_file_of_an_older_version_is_found_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(Figshare(sample_files())) as server:
        _download(server, tmp_path, monkeypatch, "dft_3d_2021")
        assert server.paths()[-2:] == ["/articles/6815699/versions/1/files", "/file/download/29204826"]
    assert len(list(jarvis.rows(tmp_path / "raw"))) == 50


def test_a_damaged_file_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        serve(Figshare(sample_files(), wrong_md5=(DATASETS["edos_pdos"].file,))) as server,
        pytest.raises(StageError, match=r"jarvis_edos_pdos\.json\.zip from 127\.0\.0\.1 is damaged"),
    ):
        _download(server, tmp_path, monkeypatch, "edos_pdos")
    assert list((tmp_path / "raw").iterdir()) == []


def test_a_file_that_figshare_no_longer_has_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        serve(Figshare(sample_files())) as server,
        pytest.raises(StageError, match=r"has no file 26724977 in any version; name another data set"),
    ):
        _download(server, tmp_path, monkeypatch, "megnet")


def test_without_a_network_the_stage_ends_with_one_sentence(tmp_path: Path) -> None:
    remote_params(tmp_path, "jarvis")
    run = fetch(tmp_path, "jarvis", {ENDPOINT: unused_address()})
    assert run.returncode == 1
    assert run.stderr.startswith("error: 127.0.0.1 failed 3 times in a row, the last time: no connection")
    assert run.stderr.count("\n") == 1


def test_two_editions_of_one_data_set_are_refused_before_any_work() -> None:
    with pytest.raises(ValueError, match="two editions"):
        JarvisFetchParams.model_validate({"datasets": ["dft_3d", "dft_3d_2021"]})
