"""The program as a person calls it."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from stages.export_cif.__main__ import CRYSTALS, main
from stages.export_cif.export import file_name
from stages.shared.errors import run_stage
from tests.stages.crystal_table import write_crystals

SILICON = Structure.from_spacegroup("Fd-3m", Lattice.cubic(5.43), ["Si"], [[0, 0, 0]])
COPPER = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.6), ["Cu"], [[0, 0, 0]])


@pytest.fixture(autouse=True)
def _table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_crystals(CRYSTALS, {"mp-149": SILICON, "mp-30": COPPER, "my/own crystal": COPPER, "..": COPPER})


def call(monkeypatch: pytest.MonkeyPatch, arguments: Sequence[str]) -> None:
    monkeypatch.setattr("sys.argv", ["export_cif", *arguments])
    run_stage(main)


def test_other_programs_read_the_files_as_the_crystals_of_the_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call(monkeypatch, ["mp-30", "mp-149", "--out", "some/folder"])
    assert capsys.readouterr().out.split() == ["some/folder/mp-30.cif", "some/folder/mp-149.cif"]
    for name, crystal in (("mp-149", SILICON), ("mp-30", COPPER)):
        assert StructureMatcher().fit(Structure.from_file(f"some/folder/{name}.cif"), crystal)


@pytest.mark.parametrize("name", ["my/own crystal", ".."])
def test_a_name_cannot_lead_out_of_the_folder(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    call(monkeypatch, [name, "--out", "folder"])
    (path,) = Path("folder").iterdir()
    assert path.name == file_name(name)
    assert path.is_file()


def test_an_unknown_name_is_one_sentence_with_the_nearest_and_no_file_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        call(monkeypatch, ["mp-149", "mp-148", "--out", "folder"])
    assert exit_.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("error: there is no crystal mp-148 in data/crystals.parquet; the nearest names are mp-149")
    assert len(error.splitlines()) == 1
    assert not Path("folder").exists()


def test_no_crystals_at_all_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_crystals(CRYSTALS, {})
    with pytest.raises(SystemExit):
        call(monkeypatch, ["mp-149"])
    assert capsys.readouterr().err == "error: there is no crystal mp-149: data/crystals.parquet is empty\n"


def test_a_file_in_place_of_the_folder_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("folder").write_text("something", encoding="utf-8")
    with pytest.raises(SystemExit):
        call(monkeypatch, ["mp-149", "--out", "folder"])
    assert capsys.readouterr().err == "error: folder/mp-149.cif cannot be written: File exists\n"
