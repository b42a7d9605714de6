"""The rows of the narrative corpora: every naming of their columns, their questions, and little memory."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.shared.sources import narratives
from stages.shared.sources.record import CrystalRecord, RawRow
from tests.stages.raw_records import ROOT, jarvis_atoms

VALUES = {"energy_per_atom": -4.5, "formation_energy_per_atom": -2.0, "energy_above_hull": 0.25, "band_gap": 5.1}
COLUMNS = {
    "mp_3d_2020": (
        "energy per atom (eV/atom)",
        "formation energy per atom (eV/atom)",
        "energy above hull (eV/atom)",
        "band gap (eV)",
    ),
    "dft_3d": (
        "total energy per atom (eV/atom)",
        "formation energy per atom (eV/atom)",
        "energy above hull (eV/atom)",
        "band gap (eV)",
    ),
    "aflow2": ("energy per atom", "formation energy per atom", "energy above hull", "band gap"),
    "oqmd": ("total energy per atom", "_oqmd_delta_e", "_oqmd_stability", "_oqmd_band_gap"),
}


def _only(folder: Path, corpus: str, row: dict[str, Any]) -> tuple[RawRow, CrystalRecord]:
    """Write one row as a corpus and read it."""
    table = pa.Table.from_pylist([{"atoms": jarvis_atoms(), "gpt_text": "Salt.", **row}])
    pq.write_table(table, folder / f"narratives_{corpus}.parquet")
    (found,) = narratives.rows(folder)
    assert isinstance(found, RawRow)
    return found, narratives.parse(found)


@pytest.mark.parametrize("corpus", list(COLUMNS))
def test_the_properties_of_each_corpus_are_read_under_its_own_names(corpus: str, tmp_path: Path) -> None:
    row, record = _only(tmp_path, corpus, dict(zip(COLUMNS[corpus], VALUES.values(), strict=True)))
    assert row.source_id == f"{corpus}-000000"
    assert {name: value for name, value in record.properties.items() if value is not None} == VALUES


def test_the_question_lists_of_the_released_file_come_along_with_the_true_statement_first(tmp_path: Path) -> None:
    questions = {
        "structure_question_list": ["This material is cubic.", "This material is tetragonal."],
        "oxide_question_list": ["This material is not an oxide.", " This material is ozonide. "],
        "stable_question_list": [],
        "is_stable": True,
    }
    _, record = _only(tmp_path, "mp_3d_2020", questions)
    assert record.questions == {
        "structure": ("This material is cubic.", "This material is tetragonal."),
        "oxide": ("This material is not an oxide.", "This material is ozonide."),
    }
    assert record.notes == ()


def test_a_question_list_that_is_none_is_noted_and_the_row_stays(tmp_path: Path) -> None:
    _, record = _only(tmp_path, "mp_3d_2020", {"structure_question_list": 7, "composition_question_list": [1, 2]})
    assert record.questions == {}
    assert len(record.notes) == 2
    assert all("no list of statements" in note for note in record.notes)


MEASURE = """
import resource, sys
from pathlib import Path
from stages.shared.sources import narratives
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = sum(1 for _ in narratives.rows(Path(sys.argv[1])))
print(rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_a_corpus_in_one_row_group_is_not_held_in_memory(tmp_path: Path) -> None:
    random = np.random.RandomState(0)
    texts = [random.bytes(3000).hex() for _ in range(600)]
    rows = {"gpt_text": [f"{number}{texts[number % 600]}" for number in range(30_000)]}
    path = tmp_path / "narratives_oqmd.parquet"
    pq.write_table(pa.table(rows), path, use_dictionary=False, compression="none")
    assert pq.ParquetFile(path).num_row_groups == 1
    megabytes = path.stat().st_size / 2**20
    assert megabytes > 150
    command = [sys.executable, "-c", MEASURE, str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    n_rows, grown = map(int, run.stdout.split())
    assert n_rows == 30_000
    assert grown < megabytes / 2
