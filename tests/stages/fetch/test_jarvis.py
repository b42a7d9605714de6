import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from stages.fetch.jarvis import download
from stages.shared.errors import StageError
from stages.shared.params import JarvisFetchParams
from stages.shared.sources import jarvis
from stages.shared.sources.record import RawRow
from tests.stages.fetch.figshare import NUMBERS, Figshare, sample_files
from tests.stages.fetch.loopback import HTML, Loopback, Reply, Request, serve, unused_address
from tests.stages.fetch.stage_runs import fetch, remote_params
from tests.stages.raw_records import SAMPLE

ENDPOINT = "XTALK_FIGSHARE_ENDPOINT"
MODULI = {name: number for name, number in NUMBERS.items() if name.endswith(".pkl")}
SHEAR = tuple(MODULI[f"jarvis_megnet_shear_{split}.pkl"] for split in ("train", "val", "test"))


def _download(server: Loopback, folder: Path, monkeypatch: pytest.MonkeyPatch, *datasets: str) -> dict[str, object]:
    monkeypatch.setenv(ENDPOINT, server.url)
    (folder / "raw").mkdir(parents=True)
    (folder / "scratch").mkdir(exist_ok=True)
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


def test_the_files_of_a_project_are_found_in_its_articles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {number: f"pickle {number}".encode() for number in MODULI.values()}
    with serve(Figshare(files)) as server:
        facts = _download(server, tmp_path, monkeypatch, "megnet_shear")
        assert server.paths().count("/projects/165430/articles") == 3  # two pages, and one with nothing new
        assert server.paths()[-4].endswith("/versions/1/files")
        assert server.paths()[-3:] == [f"/file/download/{number}" for number in SHEAR]
    assert list(facts) == [f"jarvis_megnet_shear_{split}.pkl" for split in ("test", "train", "val")]
    for name, number in MODULI.items():
        if "shear" in name:
            assert (tmp_path / "raw" / name).read_bytes() == files[number]
            digest = hashlib.sha256(files[number]).hexdigest()
            assert facts[name] == {"sha256": digest, "bytes": len(files[number]), "figshare_file": number}


def test_of_a_project_only_what_is_missing_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scratch").mkdir()
    for split in ("train", "val"):
        (tmp_path / f"scratch/jarvis_megnet_shear_{split}.pkl").touch()
    with serve(Figshare(dict.fromkeys(SHEAR, b"pickle"))) as server:
        _download(server, tmp_path, monkeypatch, "megnet_shear")
        assert [path for path in server.paths() if "download" in path] == [f"/file/download/{SHEAR[2]}"]


def test_a_service_that_sends_one_page_for_all_comes_to_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Figshare(dict.fromkeys(SHEAR, b"pickle"))

    def answer(request: Request) -> Reply:
        return service(Request(request.path, {**request.query, "page": "2"}, request.headers))

    with serve(answer) as server:
        assert len(_download(server, tmp_path, monkeypatch, "megnet_shear")) == 3
        assert server.paths().count("/projects/165430/articles") == 2


def test_a_project_without_one_of_the_files_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        serve(Figshare(dict.fromkeys(SHEAR[1:], b"pickle"))) as server,
        pytest.raises(StageError, match=rf"project 165430 of 127\.0\.0\.1 has no file {SHEAR[0]} in any version"),
    ):
        _download(server, tmp_path, monkeypatch, "megnet_shear")
    assert list((tmp_path / "raw").iterdir()) == []


def test_a_damaged_pickle_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        serve(Figshare(dict.fromkeys(SHEAR, b"pickle"), wrong_md5=SHEAR[1:2])) as server,
        pytest.raises(StageError, match=r"jarvis_megnet_shear_val\.pkl from 127\.0\.0\.1 is damaged"),
    ):
        _download(server, tmp_path, monkeypatch, "megnet_shear")
    assert list((tmp_path / "raw").iterdir()) == []


def test_a_damaged_file_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        serve(Figshare(sample_files(), wrong_md5=(NUMBERS["jarvis_edos_pdos.json.zip"],))) as server,
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


@pytest.mark.parametrize(
    "datasets",
    [["megnet", "megnet_bulk"], ["megnet_shear", "megnet"], ["megnet_bulk", "dft_3d", "megnet_shear"]],
)
def test_two_sets_of_the_same_crystals_are_refused_before_any_work(datasets: list[str]) -> None:
    with pytest.raises(ValueError, match="must not name two of megnet, megnet_bulk and megnet_shear"):
        JarvisFetchParams.model_validate({"datasets": datasets})
    JarvisFetchParams.model_validate({"datasets": [*datasets[:1], "edos_pdos"]})
