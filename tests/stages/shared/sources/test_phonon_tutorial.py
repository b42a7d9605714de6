"""The phonon tutorial's table: literals that are read and never run, and its published sets by row number."""

import ast
import csv
import re
from pathlib import Path

import ase
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Structure
from pymatgen.io.ase import AseAtomsAdaptor

from stages.generate_cif.__main__ import main
from stages.generate_cif.index_files import read_tutorial_split
from stages.shared.errors import StageError
from stages.shared.params import load_params
from stages.shared.sources.csv_table import iterate_csv
from stages.shared.sources.phonon_tutorial import LONGEST_LITERAL, parse, published_split, rows
from stages.shared.sources.record import BadRecord, CrystalRecord, RawRow, Reject
from stages.shared.spectrum_targets import spectrum_target
from stages.shared.tables import read_table
from stages.shared.text_files import read_json
from tests.stages.raw_records import (
    ROOT,
    phonon_cells,
    phonon_parts,
    phonon_row,
    read_sample_materials_project,
    write_phonon_tutorial,
)

STRUCTURES = [Structure.from_dict(one["structure"]) for one in read_sample_materials_project()[:20]]


def _parsed(cells: dict[str, str]) -> CrystalRecord:
    return parse(RawRow("phonon_tutorial", "row 0", {"phonon_tutorial": cells}))


def test_a_row_gives_the_crystal_and_the_density_that_ase_and_python_read(tmp_path: Path) -> None:
    atoms = [AseAtomsAdaptor.get_atoms(one, msonable=False) for one in STRUCTURES]
    write_phonon_tutorial(tmp_path, [phonon_cells(f"mp-{place}", one) for place, one in enumerate(atoms)])
    read = pd.read_csv(tmp_path / "phonon_tutorial" / "phonon_tutorial.csv")
    found = [parse(row) for row in rows(tmp_path / "phonon_tutorial") if isinstance(row, RawRow)]
    assert [record.source_id for record in found] == read["mp_id"].tolist()
    for record, structure, cells in zip(found, read["structure"], read.to_dict("records"), strict=True):
        names = {"array": np.array}
        expected = ase.Atoms.fromdict(eval(structure, names))  # noqa: S307 - our own text, as the tutorial reads it
        assert list(record.structure.atomic_numbers) == expected.numbers.tolist()
        np.testing.assert_allclose(record.structure.lattice.matrix, expected.cell.array, atol=1e-12)
        np.testing.assert_allclose(record.structure.cart_coords, expected.positions, atol=1e-9)
        assert record.phdos is not None
        assert record.phdos.x.tolist() == eval(cells["phfreq"])  # noqa: S307
        assert record.phdos.density.tolist() == eval(cells["phdos"])  # noqa: S307


def test_no_literal_is_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    attack = f"__import__('pathlib').Path({str(trace)!r}).touch()"
    for cells in (phonon_row("mp-1", structure=attack), phonon_row("mp-1", structure=f"[{attack}]")):
        with pytest.raises(BadRecord, match="no complete Python literal"):
            _parsed(cells)
    record = _parsed(phonon_row("mp-1", phdos=attack, phfreq=attack, pdos=attack))
    assert record.phdos is None
    assert not trace.exists()


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"structure": "{}"}, "no structure"),
        ({"structure": ""}, "missing"),
        ({"structure": "{'numbers': [11, 17], 'positions': [[0, 0"}, "no complete Python literal"),
        ({"structure": "(" * 5000}, "no complete Python literal"),
        ({"structure": "-" * 20000 + "1"}, "no complete Python literal"),
        ({"structure": "9" * 5000}, "no complete Python literal"),
        ({"structure": "[" + "0," * LONGEST_LITERAL + "]"}, "characters"),
        (
            {"structure": "{'numbers': [119], 'positions': [[0, 0, 0]], 'cell': [[4, 0, 0], [0, 4, 0], [0, 0, 4]]}"},
            "119",
        ),
        (
            {"structure": "{'numbers': [1.5], 'positions': [[0, 0, 0]], 'cell': [[4, 0, 0], [0, 4, 0], [0, 0, 4]]}"},
            "1.5",
        ),
        ({"structure": "{'numbers': [11], 'positions': [[0, 0]], 'cell': [[4, 0, 0], [0, 4, 0], [0, 0, 4]]}"}, "coord"),
        (
            {"structure": "{'numbers': [11], 'positions': [[0, 0, 0]], 'cell': [[4, 0, 0], [0, 4, 0], [0, 4, 0]]}"},
            "volume",
        ),
        ({"mp_id": ""}, "no mp_id"),
    ],
)
def test_a_bad_row_is_rejected_with_its_reason(cells: dict[str, str], reason: str) -> None:
    with pytest.raises(BadRecord, match=reason):
        _parsed(phonon_row("mp-1") | cells)


def test_a_slab_is_no_crystal() -> None:
    cells = phonon_row("mp-1")
    assert "[True, True, True]" in cells["structure"]
    with pytest.raises(BadRecord, match="not periodic"):
        _parsed(cells | {"structure": cells["structure"].replace("[True, True, True]", "[True, True, False]")})


def test_a_density_that_cannot_be_used_costs_only_itself() -> None:
    record = _parsed(phonon_row("mp-1", phdos="[0.0, 1.0]"))
    assert record.phdos is None
    assert record.notes == ("the phonon DOS has 2 values on 51 points",)


def test_the_parts_of_the_elements_come_back_with_the_shares_that_the_file_has_normalised_away() -> None:
    record = _parsed(phonon_row("mp-1"))
    expected = phonon_parts(["Na", "Cl"])
    assert record.phdos_projected is not None
    assert list(record.phdos_projected) == ["Cl", "Na"]
    for symbol, density in expected.items():
        assert density.max() < 0.9  # in the file each is 1 at most
        np.testing.assert_allclose(record.phdos_projected[symbol], density, atol=1e-12)
    assert record.notes == ()


@pytest.mark.parametrize(
    ("pdos", "note"),
    [
        ("{'Na': [0.0, 1.0], 'Cl': [0.0, 1.0]}", r"phonon DOS of Cl has shape \(2,\), not 51"),
        ("{'Na': [0.0, 1.0]", "phonon DOS by element is no complete Python literal"),
        ("[1.0, 2.0]", "phonon DOS by element is no list by symbol"),
        (str({"Na": [1.0] * 51, "K": [1.0] * 51}), "phonon DOS by element has .*, the structure Cl, Na"),
        (str({"Na": [1.0] * 51, "Cl": [-1.0] * 51}), "phonon DOS of Cl is negative somewhere"),
        (str({"Na": [1.0] * 51, "Cl": [1.0] * 51}), "cannot be weighed"),
        (str({"Na": [1.0] * 51, "Cl": [0.0, 1.0] * 25 + [0.0]}), "does not add up to the total"),
        ("{1: [1.0] * 51}", "no complete Python literal"),
        (str({1: [1.0] * 51}), "by element has"),
    ],
)
def test_parts_that_cannot_be_used_cost_only_themselves(pdos: str, note: str) -> None:
    record = _parsed(phonon_row("mp-1", pdos=pdos))
    assert record.phdos is not None
    assert record.phdos_projected is None
    assert len(record.notes) == 1
    assert re.search(note, record.notes[0])


@pytest.mark.parametrize("pdos", ["{}", ""])
def test_a_row_without_parts_is_no_fault(pdos: str) -> None:
    record = _parsed(phonon_row("mp-1", pdos=pdos))
    assert record.phdos is not None
    assert (record.phdos_projected, record.notes) == (None, ())


def test_the_published_density_is_the_target_where_nothing_is_smoothed_again() -> None:
    record = _parsed(phonon_row("mp-1"))
    assert record.phdos is not None
    kind = load_params("dos_kinds", path=ROOT / "params.yaml").dos_kinds["phonon"]
    unsmoothed = kind.model_copy(update={"smoothing_width": 1.0})
    target = spectrum_target(record.phdos.x, record.phdos.density, len(record.structure), unsmoothed)
    assert target is not None
    np.testing.assert_allclose(target.spectrum, ast.literal_eval(phonon_row("mp-1")["phdos"]), atol=0.005)


_cell = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=8)


@settings(max_examples=100, deadline=None)
@given(table=st.lists(st.tuples(_cell, _cell, _cell), min_size=1, max_size=6))
def test_a_table_is_read_as_the_csv_module_reads_it_and_numbered_as_pandas_does(
    tmp_path_factory: pytest.TempPathFactory, table: list[tuple[str, str, str]]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(("a", "b", "c"))
        for row in table:
            writer.writerow(row)
            file.write("\n")  # a blank line does not count
    assert list(iterate_csv(path)) == [dict(zip("abc", row, strict=True)) for row in table]
    assert len(pd.read_csv(path)) == len(table)


def test_a_row_that_breaks_the_table_is_one_reject_and_the_others_are_read(tmp_path: Path) -> None:
    write_phonon_tutorial(tmp_path, [phonon_row("mp-1"), phonon_row("mp-2")])
    path = tmp_path / "phonon_tutorial" / "phonon_tutorial.csv"
    header, *lines = path.read_text().splitlines()
    path.write_text("\n".join([header, lines[0], "mp-3,{}", lines[1], 'mp-4,"' + "x" * 200_000]))
    found = list(rows(tmp_path / "phonon_tutorial"))
    assert [isinstance(row, Reject) for row in found] == [False, True, False, True]
    assert [row.reason[:23] for row in found if isinstance(row, Reject)] == [
        "the row has 2 cells, th",
        "line 5 of phonon_tutori",
    ]


def test_row_numbers_become_ids_and_the_first_of_two_rows_with_one_id_counts(tmp_path: Path) -> None:
    table = [phonon_row(name) for name in ("mp-9", "mp-8", "mp-9", "mp-7", "mp-6")]
    write_phonon_tutorial(tmp_path, table, train=[3, 0], valid=[1], test=[2])
    assert published_split(tmp_path / "phonon_tutorial") == {"mp-9": "train", "mp-8": "val", "mp-7": "train"}


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ({"train": [0], "valid": [1]}, "holds no phonon_tutorial_idx_test.txt"),
        ({"train": [0], "valid": [0], "test": [1]}, "row 0 is in the index files train and val"),
        ({"train": [0], "valid": [1], "test": [5]}, "has 2 rows, but its index files name row 5"),
        ({"train": [0], "valid": [1], "test": [-1]}, "holds '-1', which is no row number"),
    ],
)
def test_index_files_that_do_not_fit_are_one_sentence(
    numbers: dict[str, list[int]], reason: str, tmp_path: Path
) -> None:
    write_phonon_tutorial(tmp_path, [phonon_row("mp-1"), phonon_row("mp-2")], **numbers)
    with pytest.raises(StageError, match=reason):
        read_tutorial_split(tmp_path / "phonon_tutorial")


def test_the_stage_splits_as_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elements = {"mp-1": ("Na", "Cl"), "mp-2": ("K", "Cl"), "mp-3": ("Na", "Br"), "mp-4": ("K", "Br")}
    table = [phonon_row(name, pair) for name, pair in elements.items()]
    write_phonon_tutorial(tmp_path / "data" / "raw", table, train=[0, 3], valid=[2], test=[])
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(text.replace("scheme: formula", "scheme: phonon_tutorial"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XTALK_WORKERS", "1")
    main()
    table_of = read_table(Path("data/crystals.parquet"), ["material_id", "split", "crystal_system"]).to_pylist()
    assert [row["split"] for row in table_of] == ["train", None, "val", "train"]
    assert {row["crystal_system"] for row in table_of} == {"cubic"}
    assert read_json(Path("data/crystals_counts.json"))["split"]["scheme"] == "phonon_tutorial"
