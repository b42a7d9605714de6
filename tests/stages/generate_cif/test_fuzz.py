"""Ten thousand broken records of every source: each becomes a crystal or a reason, none is lost, nothing crashes."""

import io
import json
import pickle
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymatgen.core import Composition, Structure
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.io.cif import CifWriter
from pymatgen.io.vasp import Poscar

from stages.generate_cif.crystals import Crystal, Rejection, crystal_from_row
from stages.shared.params import GenerateCifParams
from stages.shared.schemas import CRYSTALS_SCHEMA, SCALAR_PROPERTIES
from stages.shared.sources.record import RawRow
from stages.shared.sources.registry import SOURCES
from tests.stages.generate_cif.collected import collected
from tests.stages.generate_cif.mutations import mutated_record, mutated_text
from tests.stages.raw_records import (
    jarvis_atoms,
    mp_document,
    phonon_cells,
    phonon_row,
    read_sample_json,
    read_sample_materials_project,
    read_sample_narratives,
    write_jarvis,
    write_materials_project,
    write_narratives,
    write_own,
    write_phonon_tutorial,
)

Random = np.random.RandomState
Breaking = Callable[[Any, Random], dict[str, Any]]


def _small_documents(count: int) -> list[dict[str, Any]]:
    """Sample documents of few atoms, their spectra thinned out, to be quick."""
    found = [one for one in read_sample_materials_project() if len(one["structure"]["sites"]) <= 3]
    for document in found:
        if dos := document.get("dos"):
            dos["energies"] = dos["energies"][::100]
            dos["densities"] = {spin: values[::100] for spin, values in dos["densities"].items()}
        _give_parts(document)
    return found[:count]


def _give_parts(document: dict[str, Any]) -> None:
    """Add parts by element and by site, all alike, as pymatgen's `CompleteDos` and `CompletePhononDos` write them."""
    sites = document["structure"]["sites"]
    if dos := document.get("dos"):
        spins = {spin: [value / len(sites) for value in values] for spin, values in dos["densities"].items()}
        dos["atom_dos"] = {site["species"][0]["element"]: {"densities": spins} for site in sites}
    if dos := document.get("phonon_dos"):
        dos["frequencies"], dos["densities"] = dos["frequencies"][::50], dos["densities"][::50]
        dos["pdos"] = [[value / len(sites) for value in dos["densities"]]] * len(sites)
        dos["structure"] = document["structure"]


def _structures(count: int) -> list[Structure]:
    return [Structure.from_dict(one["structure"]) for one in _small_documents(count)]


def _json(record: Any, random: Random) -> str:
    text = json.dumps(mutated_record(record, random))
    return text[: random.randint(1, len(text))] if random.rand() < 0.05 else text


def _cells(cells: dict[str, str], random: Random) -> dict[str, str]:
    name = list(cells)[random.randint(len(cells))]
    return cells | {name: mutated_text(cells[name], random)}


def _phonon_cells(cells: dict[str, str], random: Random) -> dict[str, str]:
    broken = _cells(cells, random)
    return broken | {"structure": mutated_text(broken["structure"], random)} if random.rand() < 0.5 else broken


def _extxyz(structure: Structure) -> str:
    text = io.StringIO()
    AseAtomsAdaptor.get_atoms(structure, msonable=False).write(text, format="extxyz")
    return text.getvalue()


def _own_record(structure: Structure) -> dict[str, Any]:
    elements = structure.symbol_set
    spectrum = {"phdos_frequency": [0.0, 1.0, 2.0], "phdos_density": [0.0, 1.0, 0.5]}
    spectrum["phdos_projected"] = {symbol: [0.0, 1 / len(elements), 0.5 / len(elements)] for symbol in elements}
    labels = {"id": "a", "formula": structure.reduced_formula, "hardness": 3.0, "band_gap": 1.0, "description": "Text."}
    return {"structure": structure.as_dict(), **labels, **spectrum}


def _rows_of(source: str) -> tuple[list[Any], Breaking]:
    """Return good records of a source and what breaks one of them, as the parts of a raw row."""
    structures = _structures(15)
    match source:
        case "materials_project":
            return _small_documents(60), lambda one, random: {source: _json(one, random)}
        case "jarvis":
            small = [one for one in read_sample_json("jarvis_dft_3d.json.gz") if len(one["atoms"]["elements"]) <= 3]
            spectra = {one["jid"]: one for one in read_sample_json("jarvis_edos_pdos.json.gz")}
            pairs = [(one, spectra[one["jid"]]) for one in small if one["jid"] in spectra][:40]
            return pairs, lambda pair, random: {
                "jarvis_dft_3d": mutated_record(pair[0], random),
                "jarvis_edos_pdos": json.dumps(mutated_record(pair[1], random)),
            }
        case "jarvis moduli":
            small = [one for one in read_sample_json("jarvis_dft_3d.json.gz") if len(one["atoms"]["elements"]) <= 3][
                :40
            ]
            rows = [{"id": one["jid"], "atoms": one["atoms"], "bulk modulus": 1.5, "e_form": -1.0} for one in small]
            return rows, lambda one, random: {"jarvis_megnet_bulk_train": mutated_record(one, random)}
        case "narratives":
            small = [one for one in read_sample_narratives() if len(one["atoms"]["elements"]) <= 4][:40]
            return small, lambda one, random: {"mp_3d_2020": mutated_record(one, random)}
        case "phonon_tutorial":
            atoms = [AseAtomsAdaptor.get_atoms(one, msonable=False) for one in structures]
            return [phonon_cells("mp-1", one) for one in atoms], lambda one, random: {
                source: _phonon_cells(one, random)
            }
        case "own records":
            return [_own_record(one) for one in structures], lambda one, random: {"a.jsonl": _json(one, random)}
        case "own tables":
            records = [_own_record(one) for one in structures]
            return records, lambda one, random: {"a.parquet": mutated_record(one, random)}
        case "own CIF":
            texts = [str(CifWriter(one, symprec=symprec)) for one in structures for symprec in (None, 0.01)]
            labels = {"id": "a", "band_gap": "1.0", "formula": "NaCl"}
            return texts, lambda one, random: {"a.cif": mutated_text(one, random), "t.csv": _cells(labels, random)}
        case "own POSCAR":
            texts = [Poscar(one).get_str() for one in structures]
            return texts, lambda one, random: {"a.vasp": mutated_text(one, random)}
        case _:
            return [_extxyz(one) for one in structures], lambda one, random: {"a.xyz": mutated_text(one, random)}


COUNTS = {
    "materials_project": 1100,
    "jarvis": 900,
    "jarvis moduli": 200,
    "narratives": 1100,
    "phonon_tutorial": 900,
    "own records": 800,
    "own tables": 800,
    "own CIF": 100,
    "own POSCAR": 2000,
    "own XYZ": 2100,
}


def test_there_are_ten_thousand_of_them() -> None:
    assert sum(COUNTS.values()) == 10_000


@pytest.mark.parametrize("kind", list(COUNTS))
@pytest.mark.filterwarnings("ignore")
def test_a_broken_record_is_a_crystal_or_a_reason(kind: str, params: GenerateCifParams) -> None:
    good, broken = _rows_of(kind)
    random, source = Random(0), kind.split(" ")[0]
    accepted = with_parts = 0
    for number in range(COUNTS[kind]):
        row = RawRow(source, f"row-{number}", broken(good[random.randint(len(good))], random))
        result = crystal_from_row(row, params.symmetry_tolerance, params.max_atoms)
        assert result.files == tuple(row.parts)
        accepted += isinstance(result, Crystal)
        if isinstance(result, Rejection):
            assert result.source_id
            assert result.reason
            assert "\n" not in result.reason
        else:
            _assert_sound(result)
            with_parts += result.columns["phdos_projected"] is not None
    assert bool(with_parts) == (kind in ("materials_project", "phonon_tutorial", "own records", "own tables"))
    assert 0.05 < accepted / COUNTS[kind] < 0.95  # neither all harmless nor all hopeless


def _assert_sound(crystal: Crystal) -> None:
    assert {*crystal.columns, "split"} == set(CRYSTALS_SCHEMA.names)
    numbers = [crystal.columns[name] for name in SCALAR_PROPERTIES] + list(crystal.own_properties.values())
    assert all(number is None or np.isfinite(number) for number in numbers)
    for kind, axis in (("edos", "edos_energy"), ("phdos", "phdos_frequency")):
        x, density, parts = (
            crystal.columns[axis],
            crystal.columns[f"{kind}_density"],
            crystal.columns[f"{kind}_projected"],
        )
        assert (x is None) == (density is None)
        if x is not None:
            assert len(x) == len(density)
            assert np.isfinite(density).all()
        if parts is not None:
            assert set(parts) == {element.symbol for element in Composition(crystal.columns["formula"])}
            assert all(len(part) == len(x) and (part >= 0).all() and np.isfinite(part).all() for part in parts.values())


def _broken(kind: str, count: int, part: str) -> list[Any]:
    """Return one file's part of broken records."""
    good, breaking = _rows_of(kind)
    random = Random(1)
    return [breaking(good[random.randint(len(good))], random)[part] for _ in range(count)]


def _writable(texts: Iterable[str]) -> list[str]:
    return [text.encode(errors="replace").decode() for text in texts]


def _parquet_safe(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Break the rows where a column can keep its type: numbers, texts and lengths only."""
    for number, row in enumerate(rows):
        atoms = row["atoms"]
        match number % 6:
            case 0:
                atoms["coords"].pop()
            case 1:
                atoms["elements"][0] = "Xx"
            case 2:
                atoms["lattice_mat"].pop()
            case 3:
                atoms["coords"][0][0] = float("nan")
            case 4:
                row |= {"gpt_text": None, "gpt_explanation": None}
            case 5:
                row["atoms"] = None
    return rows


def _write_broken_files(raw: Path) -> dict[str, int]:
    """Write files of every source and return how many rows each has."""
    write_materials_project(raw, _broken("materials_project", 60, "materials_project"))
    properties = _broken("jarvis", 30, "jarvis_dft_3d")
    spectra = [json.loads(text) for text in _broken("jarvis", 30, "jarvis_edos_pdos")]
    write_jarvis(raw, [*properties, "text", 3, None], spectra)
    write_narratives(raw, _parquet_safe(read_sample_narratives()[:30]) + read_sample_narratives()[30:40])
    cells = _broken("phonon_tutorial", 50, "phonon_tutorial")
    write_phonon_tutorial(raw, [dict(zip(one, _writable(one.values()), strict=True)) for one in cells])
    cifs = {f"c{number}.cif": text for number, text in enumerate(_writable(_broken("own CIF", 15, "a.cif")))}
    poscars = {f"p{number}.vasp": text for number, text in enumerate(_writable(_broken("own POSCAR", 15, "a.vasp")))}
    labels = "id,hardness\n" + "".join(f"c{number},{number}\n" for number in range(20)) + "c0,1\n,2\np0\n"
    records = "\n".join(_broken("own records", 20, "a.jsonl"))
    write_own(raw, cifs | poscars | {"labels.csv": labels, "more.jsonl": records})
    own = len(cifs) + len(poscars) + 23 + 20
    return {"own": own, "materials_project": 60, "jarvis": 63, "phonon_tutorial": 50, "narratives": 40}


@pytest.mark.filterwarnings("ignore")
def test_no_row_of_broken_files_is_lost(tmp_path: Path, params: GenerateCifParams) -> None:
    rows = _write_broken_files(tmp_path)
    crystals, ledger = collected(tmp_path, params)
    assert {source: counts.raw for source, counts in ledger.counts.items()} == rows
    assert len(crystals) == sum(counts.crystals for counts in ledger.counts.values()) > 20
    assert len(ledger.rejected) == sum(counts.rejected for counts in ledger.counts.values())
    assert ledger.of("narratives").rejected == 30
    assert all(reason for *_, reason in ledger.rejected)
    assert len({crystal.source_id for crystal in crystals}) == len(crystals)


@pytest.mark.parametrize("seed", range(20))
def test_damaged_bytes_of_any_file_never_stop_its_reading(seed: int, tmp_path: Path) -> None:
    random = Random(seed)
    structure = _structures(1)[0]
    write_materials_project(tmp_path, [mp_document("mp-1")] * 3)
    write_jarvis(tmp_path, [{"jid": "A", "atoms": jarvis_atoms()}] * 3, [{"jid": "A", "atoms": jarvis_atoms()}] * 3)
    moduli = [{"id": "A", "atoms": jarvis_atoms(), "bulk modulus": np.float64(1.5)}] * 3
    (tmp_path / "jarvis" / "jarvis_megnet_bulk_train.pkl").write_bytes(pickle.dumps(moduli))
    write_narratives(tmp_path, read_sample_narratives()[:3])
    write_phonon_tutorial(tmp_path, [phonon_row("mp-1")] * 3)
    write_own(tmp_path, {"a.xyz": _extxyz(structure) * 3, "a.csv": "id,x\na-000001,1\n", "b.jsonl": '{"id": 1}\n' * 3})
    shutil.copy(next((tmp_path / "narratives").iterdir()), tmp_path / "own" / "c.parquet")
    for path in sorted(path for path in tmp_path.rglob("*") if path.is_file()):
        content = bytearray(path.read_bytes())
        for place in random.randint(len(content), size=3):
            content[place] = random.randint(256)
        path.write_bytes(content[: random.randint(1, len(content))] if random.rand() < 0.5 else content)
    for source in SOURCES.values():
        for row in source.rows(tmp_path / source.name):
            if isinstance(row, RawRow):
                crystal_from_row(row, 0.01, 500)
            else:
                assert row.reason
