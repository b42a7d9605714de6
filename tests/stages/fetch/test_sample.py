import gzip
import hashlib
import json
import shutil
from pathlib import Path

import pytest

from stages.fetch.__main__ import main
from stages.fetch.sample import copy_source, read_digests
from stages.shared.errors import StageError
from stages.shared.sources.registry import SOURCES
from tests.stages.raw_records import ROOT, SAMPLE

FILES: dict[str, set[str]] = {
    "phonon_tutorial": set(),
    "materials_project": {"materials_project.jsonl.gz"},
    "jarvis": {"jarvis_dft_3d.json.gz", "jarvis_edos_pdos.json.gz"},
    "narratives": {"narratives_mp_3d_2020.parquet"},
}


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "own"])  # own has files of any name
def test_copies_every_raw_file_of_the_source_and_nothing_else(name: str, tmp_path: Path) -> None:
    copy_source(SOURCES[name], SAMPLE, tmp_path / name)
    copied = {path.name for path in (tmp_path / name).iterdir()}
    assert copied == FILES[name] | {"manifest.json"}
    for file in FILES[name]:
        assert (tmp_path / name / file).read_bytes() == (SAMPLE / file).read_bytes()


def test_the_manifest_holds_the_digest_and_size_of_each_file(tmp_path: Path) -> None:
    copy_source(SOURCES["jarvis"], SAMPLE, tmp_path)
    files = json.loads((tmp_path / "manifest.json").read_text())["files"]
    assert set(files) == FILES["jarvis"]
    for name, facts in files.items():
        content = (SAMPLE / name).read_bytes()
        assert facts == {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def test_the_sample_in_the_repository_names_a_digest_for_each_of_its_files() -> None:
    assert set(read_digests(SAMPLE / "SHA256SUMS")) == set().union(*FILES.values())


def test_a_damaged_file_is_named_with_both_digests(tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    folder.mkdir()
    shutil.copy(SAMPLE / "SHA256SUMS", folder)
    (folder / "materials_project.jsonl.gz").write_bytes(b"not it")
    expected = read_digests(SAMPLE / "SHA256SUMS")["materials_project.jsonl.gz"]
    found = hashlib.sha256(b"not it").hexdigest()
    with pytest.raises(StageError, match=rf"materials_project\.jsonl\.gz.*{found}.*{expected}"):
        copy_source(SOURCES["materials_project"], folder, tmp_path / "raw")
    assert list((tmp_path / "raw").iterdir()) == []


def test_a_folder_without_digests_and_with_uncompressed_files_is_taken_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    folder.mkdir()
    plain = gzip.decompress((SAMPLE / "jarvis_dft_3d.json.gz").read_bytes())
    (folder / "jarvis_dft_3d.json").write_bytes(plain)
    files = copy_source(SOURCES["jarvis"], folder, tmp_path / "raw")
    assert set(files) == {"jarvis_dft_3d.json"}
    assert len(list(SOURCES["jarvis"].rows(tmp_path / "raw"))) == 144


def test_files_of_an_earlier_fetch_do_not_stay_behind(tmp_path: Path) -> None:
    copy_source(SOURCES["narratives"], SAMPLE, tmp_path / "raw")
    (tmp_path / "empty").mkdir()
    assert copy_source(SOURCES["narratives"], tmp_path / "empty", tmp_path / "raw") == {}
    assert [path.name for path in (tmp_path / "raw").iterdir()] == ["manifest.json"]


def test_fetch_does_not_delete_the_files_it_is_to_read(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    shutil.copytree(SAMPLE, raw)
    with pytest.raises(StageError, match="name a folder elsewhere"):
        copy_source(SOURCES["jarvis"], raw, raw)
    assert (raw / "jarvis_dft_3d.json.gz").is_file()


def test_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="no folder"):
        copy_source(SOURCES["jarvis"], tmp_path / "nowhere", tmp_path / "raw")


def _set_params(folder: Path, changes: dict[str, str]) -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "params.yaml").write_text(text, encoding="utf-8")


def test_of_several_variants_of_a_file_the_one_that_is_read_is_copied(tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    folder.mkdir()
    for name in ("jarvis_dft_3d.json", "jarvis_dft_3d.json.zip", "jarvis_megnet.json.zip", "jarvis_megnet.json"):
        (folder / name).touch()
    others = {"jarvis_edos_pdos.json", "jarvis_megnet_bulk_train.pkl", "jarvis_megnet_shear_test.pkl.gz"}
    for name in others:
        (folder / name).touch()
    files = copy_source(SOURCES["jarvis"], folder, tmp_path / "raw")
    assert set(files) == {"jarvis_dft_3d.json.zip", "jarvis_megnet.json.zip", *others}


@pytest.mark.parametrize("mode", ["sample", "remote"])
def test_a_source_that_is_not_listed_gives_an_empty_folder_in_either_mode(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _set_params(tmp_path, {"mode: sample": f"mode: {mode}", "    jarvis: true": "    jarvis: false"})
    (tmp_path / "data/raw/jarvis").mkdir(parents=True)
    (tmp_path / "data/raw/jarvis/jarvis_dft_3d.json").write_text("[]")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["fetch", "jarvis"])
    main()
    assert [path.name for path in (tmp_path / "data/raw/jarvis").iterdir()] == ["manifest.json"]
    assert json.loads((tmp_path / "data/raw/jarvis/manifest.json").read_text()) == {"files": {}}
    assert capsys.readouterr().out == "jarvis: fetch.sources.jarvis is false, so it gives no crystals\n"


def test_a_source_that_nobody_knows_is_refused_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _set_params(tmp_path, {"    materials_project: true": "    material_project: true"})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["fetch", "jarvis"])
    with pytest.raises(
        StageError, match=r"fetch\.sources\.material_project is unknown; did you mean fetch\.sources\.materials_project"
    ):
        main()
    assert not (tmp_path / "data").exists()


def test_an_empty_folder_gives_a_manifest_and_a_plain_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    _set_params(tmp_path, {"sample_directory: data/sample": "sample_directory: mine"})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["fetch", "materials_project"])
    main()
    manifest = json.loads((tmp_path / "data/raw/materials_project/manifest.json").read_text())
    assert manifest == {"files": {}}
    assert "holds no file of this source" in capsys.readouterr().out
