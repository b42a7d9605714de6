"""The stage as a program: what it writes, whatever it finds and however many processes work on it."""

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from pymatgen.core import Lattice, Structure

from stages.describe import __main__ as describe
from stages.shared import parallel
from stages.shared.schemas import CRYSTALS_SCHEMA
from stages.shared.structures import structure_to_cif
from stages.shared.tables import read_table, write_table
from stages.shared.text_files import read_csv
from tests.stages.raw_records import ROOT

COPPER = structure_to_cif(Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.6), ["Cu"], [[0, 0, 0]]))
CAESIUM_CHLORIDE = structure_to_cif(Structure(Lattice.cubic(4.1), ["Cs", "Cl"], [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]))
ALLOY = structure_to_cif(Structure(Lattice.cubic(3.7), [{"Cu": 0.5, "Au": 0.5}], [[0, 0, 0]]))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder that holds params.yaml and nothing else."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "data/papers").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XTALK_WORKERS", "1")
    return tmp_path


def write_crystals(crystals: Sequence[Mapping[str, str]]) -> None:
    rows = [{"source": "test", "source_id": f"raw {crystal['material_id']}", **crystal} for crystal in crystals]
    table = pa.Table.from_pylist(rows, schema=CRYSTALS_SCHEMA)
    write_table(describe.CRYSTALS, {name: table[name] for name in table.column_names}, CRYSTALS_SCHEMA)


def narratives() -> list[tuple[str, str, str]]:
    rows = read_table(describe.NARRATIVES).to_pylist()
    return [(row["material_id"], row["view"], row["text"]) for row in rows]


def test_texts_that_came_with_a_crystal_are_taken_over(folder: Path) -> None:
    write_crystals(
        [
            {"material_id": "a", "cif": COPPER, "description": "Fcc.", "narrative": "Shiny."},
            {
                "material_id": "b",
                "cif": COPPER,
                "description": "Copper is copper.",
                "narrative": "Red.",
                "explanation": "Wire.",
            },
            {"material_id": "c", "cif": COPPER, "description": "Metal.", "explanation": "Nothing to explain."},
        ]
    )
    describe.main()
    assert narratives() == [
        ("a", "original", "Shiny."),
        ("a", "robocrystallographer", "Fcc."),
        ("b", "original", "Red. Wire."),
        ("b", "robocrystallographer", "Copper is copper."),
        ("c", "robocrystallographer", "Metal."),
    ]
    assert read_csv(describe.REJECTED) == []


def test_every_crystal_is_described_or_rejected_with_a_reason(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_crystals(
        [
            {"material_id": "alloy", "cif": ALLOY, "narrative": "An alloy."},
            {"material_id": "broken", "cif": "data_nothing"},
            {"material_id": "copper", "cif": COPPER},
            {"material_id": "salt", "cif": CAESIUM_CHLORIDE, "description": "Delivered."},
        ]
    )
    describe.main()
    rejected = read_csv(describe.REJECTED)
    assert [row["source_id"] for row in rejected] == ["raw alloy", "raw broken"]
    assert {row["stage"] for row in rejected} == {"describe"}
    assert "ordered crystals only" in rejected[0]["reason"]
    assert "CIF cannot be read" in rejected[1]["reason"]
    views = {(material_id, view): text for material_id, view, text in narratives()}
    assert set(views) == {("alloy", "original"), ("copper", "robocrystallographer"), ("salt", "robocrystallographer")}
    assert views["copper", "robocrystallographer"].startswith("Cu is Copper structured")
    summary = "4 crystals = 1 delivered with a description + 1 described here + 2 rejected; 1 have a narrative"
    assert summary in capsys.readouterr().out


def test_the_bytes_do_not_depend_on_the_number_of_processes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cifs = [COPPER, CAESIUM_CHLORIDE, ALLOY]
    write_crystals([{"material_id": f"{number}", "cif": cifs[number % 3]} for number in range(9)])
    written = []
    for workers in ("1", "2"):
        monkeypatch.setattr(parallel, "SECONDS_BEFORE_WORKERS", 0.0)
        monkeypatch.setenv("XTALK_WORKERS", workers)
        describe.main()
        written.append((describe.NARRATIVES.read_bytes(), describe.REJECTED.read_bytes()))
    assert written[0] == written[1]


def test_no_crystals_give_empty_tables(folder: Path) -> None:
    write_crystals([])
    describe.main()
    assert narratives() == []
    assert read_csv(describe.REJECTED) == []


def test_robocrys_is_not_even_imported_where_every_crystal_has_a_description(folder: Path) -> None:
    write_crystals([{"material_id": "a", "cif": COPPER, "description": "Copper."}])
    program = "import sys; from stages.describe.__main__ import main; main(); sys.exit('robocrys' in sys.modules)"
    finished = subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": str(ROOT)}, check=False)
    assert finished.returncode == 0
