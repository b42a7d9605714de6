"""Somebody's own files, of every kind, with labels beside or within them."""

import gzip
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pymatgen.core import Structure
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.io.cif import CifWriter
from pymatgen.io.vasp import Poscar

from stages.generate_cif.__main__ import main
from stages.generate_cif.crystals import Crystal
from stages.generate_cif.ledger import Ledger
from stages.shared.params import GenerateCifParams, load_params
from stages.shared.schemas import CRYSTALS_SCHEMA
from stages.shared.sources.own_files import kind_of, name_of
from stages.shared.structures import structure_from_cif
from stages.shared.tables import read_table
from stages.shared.text_files import read_csv
from tests.stages.generate_cif.collected import collected
from tests.stages.raw_records import (
    ROOT,
    mp_document,
    read_sample_materials_project,
    write_materials_project,
    write_own,
)

PARAMS: GenerateCifParams = load_params("generate_cif", path=ROOT / "params.yaml").generate_cif
SALT = Structure.from_dict({"@module": "", **mp_document("")["structure"]})


def _crystals(raw: Path) -> tuple[dict[str, Crystal], Ledger]:
    crystals, ledger = collected(raw, PARAMS)
    return {crystal.source_id: crystal for crystal in crystals}, ledger


def _labelled(structure: Structure, **labels: Any) -> str:
    return json.dumps({"structure": structure.as_dict(), **labels}) + "\n"


def _texts(structure: Structure) -> dict[str, str]:
    atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
    lattice = " ".join(map(str, atoms.cell.array.ravel()))
    lines = [" ".join([atom.symbol, *map(str, atom.position)]) for atom in atoms]
    frame = "\n".join([str(len(atoms)), f'Lattice="{lattice}"', *lines]) + "\n"
    return {"cif": str(CifWriter(structure)), "poscar": Poscar(structure).get_str(), "extxyz": frame}


@pytest.mark.parametrize("document", read_sample_materials_project()[:6], ids=lambda one: one["material_id"])
def test_every_format_gives_the_same_crystal(document: dict[str, Any], tmp_path: Path) -> None:
    structure = Structure.from_dict(document["structure"])
    texts = _texts(structure)
    files = {"a.cif": texts["cif"], "b.vasp": texts["poscar"], "POSCAR_c": texts["poscar"], "d.xyz": texts["extxyz"]}
    files |= {"e.jsonl": _labelled(structure, id="e") + json.dumps({"id": "f", "cif": texts["cif"]})}
    write_own(tmp_path, files)
    rows = [
        {"material_id": "g", "structure": json.dumps(structure.as_dict())},
        {"material_id": "h", "structure": texts["cif"]},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "own" / "t.parquet")
    pq.write_table(pa.table({"id": [7], "structure": [document["structure"]]}), tmp_path / "own" / "u.parquet")
    found, ledger = _crystals(tmp_path)
    assert ledger.rejected == []
    assert list(found) == ["7", *"abcdefgh"]
    for crystal in found.values():
        assert structure_from_cif(crystal.columns["cif"]).matches(structure)
    assert len({crystal.columns["fingerprint"] for crystal in found.values()}) == 1


def test_labels_meet_their_structure_whatever_the_order_of_the_rows(tmp_path: Path) -> None:
    names = [f"x{number}" for number in range(30)]
    shuffled = random.Random(0).sample(names, len(names))
    lines = [f"{name},NaCl,About {name}.,{int(name[1:]) / 4},{-int(name[1:])}" for name in shuffled]
    table = "\n".join(["id,formula,description,band_gap,ionic_conductivity", *lines])
    write_own(tmp_path, {f"{name}.vasp": _texts(SALT)["poscar"] for name in names} | {"labels.csv": table})
    found, ledger = _crystals(tmp_path)
    assert ledger.of("own").as_dict() == {"raw": 60, "crystals": 30, "merged": 30, "rejected": 0}
    assert ledger.notes == []
    for name, crystal in found.items():
        number = int(name[1:])
        assert crystal.own_properties == {"ionic_conductivity": -number}
        assert (crystal.columns["band_gap"], crystal.columns["description"]) == (number / 4, f"About {name}.")


def test_frames_of_one_file_are_numbered_and_one_alone_is_called_after_it(tmp_path: Path) -> None:
    frame = _texts(SALT)["extxyz"]
    write_own(tmp_path, {"many.extxyz": frame * 3, "one.xyz": frame + "\n\n", "l.csv": "id,hardness\nmany-000001,3\n"})
    found, _ = _crystals(tmp_path)
    assert list(found) == ["many-000000", "many-000001", "many-000002", "one"]
    assert found["many-000001"].own_properties == {"hardness": 3.0}


def test_each_row_that_cannot_be_used_has_its_reason(tmp_path: Path) -> None:
    table = "id,hardness\na,1\na,2\n,3\nnowhere,4\nb,5,6\n"
    records = _labelled(SALT, id="c") + _labelled(SALT, id="c") + '{"id": "d"}\n{"id": "e", "structure"\n[1]\n'
    write_own(tmp_path, {"a.cif": _texts(SALT)["cif"], "b.cif": "no CIF", "t.csv": table, "u.jsonl": records})
    found, ledger = _crystals(tmp_path)
    assert list(found) == ["a", "c"]
    reasons = [(source_id, reason) for _, source_id, _, reason in ledger.rejected]
    expected = [
        ("a", "duplicate: t.csv has labels of an id that a row before has"),
        ("row 3 of t.csv", "the row has no id"),
        ("row 5 of t.csv", "the row has 3 cells, the header of t.csv 2"),
        ("b", "the CIF cannot be read: "),
        ("nowhere", "t.csv has labels of it, but no file of this name holds its structure"),
        ("c", "duplicate: an earlier row has this id"),
        ("d", "the record has no structure"),
        ("u-000003", "the line is no complete JSON document"),
        ("u-000004", "the line is no JSON object"),
    ]
    assert [one[0] for one in reasons] == [one[0] for one in expected]
    assert all(found.startswith(wanted) for (_, found), (_, wanted) in zip(reasons, expected, strict=True))
    # a structure and its labels are two rows, a row of a table by itself one
    assert ledger.of("own").as_dict() == {"raw": 12, "crystals": 2, "merged": 1, "rejected": 9}


def test_what_is_not_used_of_a_row_is_noted(tmp_path: Path) -> None:
    table = "id,formula,band_gap,density,band gap (eV),hardness\na,KCl,wide,2.1,5,\n"
    write_own(tmp_path, {"a.cif": _texts(SALT)["cif"], "t.csv": table})
    found, ledger = _crystals(tmp_path)
    assert [note[3] for note in ledger.notes] == [
        "the formula is 'KCl', that of the structure NaCl",
        "band_gap is not a number: 'wide'",
        "density is the name of a column the pipeline fills itself; give yours another",
        "'band gap (eV)' is no name of a property: use letters, digits and underscores",
    ]
    assert found["a"].own_properties == {"hardness": None}
    assert found["a"].columns["density"] == pytest.approx(SALT.density)


def test_spectra_of_ones_own_are_kept(tmp_path: Path) -> None:
    spectra = {"phdos_frequency": [0.0, 10.0, 20.0], "phdos_density": [0.0, 2.0, 1.0]}
    spectra |= {"edos_energy": [-1.0, 1.0], "edos_density": [3.0]}
    write_own(tmp_path, {"a.jsonl": _labelled(SALT, id="a", **spectra)})
    found, ledger = _crystals(tmp_path)
    assert found["a"].columns["phdos_density"].tolist() == [0.0, 2.0, 1.0]
    assert found["a"].columns["edos_density"] is None
    assert ["electron DOS" in note[3] for note in ledger.notes] == [True]


def test_parts_of_spectra_are_kept_from_json_lines_and_parquet_alike(tmp_path: Path) -> None:
    spectra: dict[str, Any] = {"phdos_frequency": [0.0, 10.0, 20.0], "phdos_density": [0.0, 2.0, 1.0]}
    spectra |= {"phdos_projected": {"Na": [0.0, 2.0, 0.0], "Cl": [0.0, 0.0, 1.0]}}
    spectra |= {"edos_energy": [-1.0, 1.0], "edos_density": [3.0, 2.0]}
    spectra |= {"edos_projected": {"Na": [1.0, 1.0], "Cl": [1.0, 0.5]}}
    write_own(tmp_path, {"a.jsonl": _labelled(SALT, id="a", **spectra)})
    row = {"id": "b", "structure": json.dumps(SALT.as_dict()), **spectra}
    maps = pa.map_(pa.string(), pa.list_(pa.float64()))
    columns = {name: pa.array([value], maps if name.endswith("_projected") else None) for name, value in row.items()}
    pq.write_table(pa.table(columns), tmp_path / "own" / "b.parquet")
    pq.write_table(pa.Table.from_pylist([row | {"id": "c"}]), tmp_path / "own" / "c.parquet")  # a field an element
    found, ledger = _crystals(tmp_path)
    assert list(found) == ["a", "b", "c"]
    for crystal in found.values():
        for name in ("phdos_projected", "edos_projected"):
            parts = {symbol: density.tolist() for symbol, density in crystal.columns[name].items()}
            assert parts == spectra[name]
    assert ledger.notes == []


def test_parts_of_spectra_that_fit_no_total_are_left_out_with_a_note(tmp_path: Path) -> None:
    parts = {
        "phdos_projected": {"Na": [0.0, 2.0], "Cl": [0.0, 0.0]},
        "edos_projected": {"Na": [3.0, 2.0], "Cl": [3.0, 2.0]},
    }
    spectra = {"edos_energy": [-1.0, 1.0], "edos_density": [3.0, 2.0]}
    write_own(tmp_path, {"a.jsonl": _labelled(SALT, id="a", **parts, **spectra)})
    found, ledger = _crystals(tmp_path)
    assert found["a"].columns["edos_density"].tolist() == [3.0, 2.0]
    assert found["a"].columns["edos_projected"] is None
    assert found["a"].columns["phdos_projected"] is None
    assert [note[3] for note in ledger.notes] == [
        "the electron DOS by element does not add up to the total",
        "the phonon DOS by element has no total beside it",
    ]


def test_a_compressed_table_that_breaks_off_keeps_what_came_before(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    noise = np.random.RandomState(0)  # does not compress, so that the end of the file is the last row
    lines = "".join(_labelled(SALT, id=f"s{number}", note=noise.bytes(4000).hex()) for number in range(4))
    packed = gzip.compress(lines.encode())
    (tmp_path / "own" / "a.jsonl.gz").write_bytes(packed[:-2000])
    found, ledger = _crystals(tmp_path)
    assert list(found) == ["s0", "s1", "s2"]
    assert [row[3][:36] for row in ledger.rejected] == ["a.jsonl.gz cannot be read any further"[:36]]


def test_ones_own_value_counts_and_another_source_fills_in_the_rest(tmp_path: Path) -> None:
    write_materials_project(tmp_path, [mp_document("mp-1", band_gap=5.0, energy_above_hull=0.1), mp_document("mp-2")])
    write_own(tmp_path, {"a.jsonl": _labelled(SALT, id="mp-1", band_gap=8.5, hardness=2.0)})
    found, ledger = _crystals(tmp_path)
    columns = found["mp-1"].columns
    assert [columns[name] for name in ("source", "band_gap", "energy_above_hull")] == ["own", 8.5, 0.1]
    assert ledger.of("materials_project").as_dict() == {"raw": 2, "crystals": 1, "merged": 1, "rejected": 0}


def test_own_properties_are_columns_of_the_table_in_the_order_of_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = tmp_path / "data" / "raw"
    write_materials_project(raw, [mp_document("mp-1")])
    write_own(raw, {"a.jsonl": _labelled(SALT, id="a", zeta=1, alpha="2.5") + _labelled(SALT, id="b", beta=None)})
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XTALK_WORKERS", "1")
    main()
    table = read_table(Path("data/crystals.parquet"))
    assert table.column_names == [*CRYSTALS_SCHEMA.names, "alpha", "beta", "zeta"]
    columns = table.select(["material_id", "alpha", "beta", "zeta"]).to_pydict()
    expected = {"alpha": [2.5, None, None], "beta": [None] * 3, "zeta": [1.0, None, None]}
    assert columns == {"material_id": ["a", "b", "mp-1"]} | expected
    assert read_csv(Path("data/rejected.csv")) == []


@pytest.mark.parametrize(
    ("file", "kind", "name"),
    [
        ("mp-1.2.cif", "cif", "mp-1.2"),
        ("Si.CIF", "cif", "Si"),
        ("POSCAR", "poscar", "POSCAR"),
        ("POSCAR_Si.vasp", "poscar", "Si"),
        ("CONTCAR.Si", "poscar", "Si"),
        ("a.jsonl.gz", "jsonl", "a"),
        ("README.md", "", "README.md"),
    ],
)
def test_the_name_of_a_file_tells_its_kind_and_the_id(file: str, kind: str, name: str) -> None:
    assert (kind_of(file), name_of(file)) == (kind, name)
