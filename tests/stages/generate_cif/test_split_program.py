"""The stage with other schemes than the default one, and what the stages after it make of its splits."""

import re
from pathlib import Path

import pytest

from stages.build_graphs.__main__ import main as build_graphs
from stages.generate_cif.__main__ import main as generate_cif
from stages.shared.errors import StageError
from stages.shared.schemas import SPLITS
from stages.shared.tables import read_table
from stages.shared.text_files import read_json
from tests.stages.raw_records import ROOT, mp_document, write_materials_project

ELEMENTS = [("Na", "Cl"), ("K", "Cl"), ("Li", "F"), ("Mg", "O"), ("Ca", "O"), ("Ag", "Br")]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with six cubic crystals."""
    documents = [mp_document(f"mp-{number}", elements) for number, elements in enumerate(ELEMENTS)]
    write_materials_project(tmp_path / "data/raw", documents)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XTALK_WORKERS", "1")
    return tmp_path


def run(scheme: str, **changes: str) -> dict[str, str | None]:
    """Run the stage with a scheme and return the split by id."""
    others, section, text = (ROOT / "params.yaml").read_text(encoding="utf-8").partition("generate_cif:")
    for name, value in {"scheme": scheme, **changes}.items():
        text = re.sub(rf"(    {name}: )(\[.*?\]|\S+)", rf"\g<1>{value}", text, count=1)
    Path("params.yaml").write_text(others + section + text, encoding="utf-8")
    generate_cif()
    table = read_table(Path("data/crystals.parquet"))
    return dict(zip(table["material_id"].to_pylist(), table["split"].to_pylist(), strict=True))


def test_crystals_in_no_split_have_no_graph_and_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "lists").mkdir()
    (folder / "lists/train.txt").write_text("mp-3\nmp-0\nmp-99\n")
    (folder / "lists/test.txt").write_text("mp-5\n")
    splits = run("file", directory="lists")
    assert splits == {"mp-0": "train", "mp-1": None, "mp-2": None, "mp-3": "train", "mp-4": None, "mp-5": "test"}
    assert "3 crystals are in no index file, and in no split" in capsys.readouterr().out
    build_graphs()
    assert "6 crystals = 3 graphs + 0 rejected + 3 in no split" in capsys.readouterr().out
    graphs = {split: read_table(Path(f"data/graphs/{split}.parquet"))["material_id"].to_pylist() for split in SPLITS}
    assert graphs == {"train": ["mp-0", "mp-3"], "val": [], "test": ["mp-5"]}
    manifest = read_json(Path("data/crystals_counts.json"))["split"]
    assert (manifest["without_split"], manifest["ids_not_found"]) == (3, 1)


def test_lists_of_other_crystals_stop_the_stage_before_it_writes_a_table(folder: Path) -> None:
    (folder / "lists").mkdir()
    (folder / "lists/train.txt").write_text("JVASP-1\n")
    with pytest.raises(StageError, match="no crystal is in the index files of lists"):
        run("file", directory="lists")
    assert not Path("data/crystals.parquet").exists()


def test_a_missing_folder_of_lists_is_one_sentence(folder: Path) -> None:
    with pytest.raises(StageError, match="lists holds no index file"):
        run("file", directory="lists")


def test_held_out_crystal_systems_that_nothing_has_leave_an_empty_test_split_that_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert set(run("crystal_system").values()) <= {"train", "val"}
    assert "the test split is empty with generate_cif.split.scheme crystal_system" in capsys.readouterr().out
    assert set(run("crystal_system", test_crystal_systems="[cubic]").values()) == {"test"}


def test_the_balanced_scheme_splits_every_crystal(folder: Path) -> None:
    assert set(run("element_balanced").values()) <= {"train", "val", "test"}
    assert read_json(Path("data/crystals_counts.json"))["split"]["formulas_in_several_splits"] == 0
