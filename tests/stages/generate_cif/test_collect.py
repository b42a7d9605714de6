"""Rows to crystals: what is missing, what is doubled, what is broken, and that the books always balance."""

import copy
import gzip
import itertools
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.generate_cif.__main__ import main
from stages.generate_cif.crystals import Crystal, describe_structure
from stages.generate_cif.store import CrystalStore
from stages.shared import parallel
from stages.shared.params import GenerateCifParams
from stages.shared.structures import structure_from_cif
from stages.shared.tables import read_table
from stages.shared.text_files import read_csv, read_json
from tests.stages.generate_cif.collected import ListedLedger, collected
from tests.stages.generate_cif.mutations import mutated_records
from tests.stages.raw_records import (
    ROOT,
    jarvis_atoms,
    mp_document,
    read_sample_json,
    read_sample_materials_project,
    read_sample_narratives,
    write_jarvis,
    write_materials_project,
    write_narratives,
)


def _reasons(ledger: ListedLedger) -> dict[str, str]:
    return {source_id: reason for _, source_id, _, reason in ledger.rejected}


def _columns(crystals: list[Crystal]) -> dict[str, dict[str, Any]]:
    return {crystal.source_id: dict(crystal.columns) for crystal in crystals}


def test_an_empty_folder_gives_no_crystals_and_no_rejects(tmp_path: Path, params: GenerateCifParams) -> None:
    crystals, ledger = collected(tmp_path, params)
    assert crystals == []
    assert ledger.rejected == []
    assert all(counts.raw == 0 for counts in ledger.counts.values())


def test_jarvis_properties_without_spectra_and_the_reverse(tmp_path: Path, params: GenerateCifParams) -> None:
    record = {"jid": "JVASP-1", "atoms": jarvis_atoms(), "formation_energy_peratom": -2.1}
    spectra = {"jid": "JVASP-1", "atoms": jarvis_atoms(), "pdos_elast": [1.0] * 201, "edos_up": [2.0] * 300}
    for folder, properties, edos_pdos in (("p", [record], None), ("s", None, [spectra])):
        write_jarvis(tmp_path / folder, properties, edos_pdos)
    only_properties = _columns(collected(tmp_path / "p", params)[0])["JVASP-1"]
    only_spectra = _columns(collected(tmp_path / "s", params)[0])["JVASP-1"]
    assert only_properties["formation_energy_per_atom"] == -2.1
    assert only_properties["phdos_density"] is None
    assert only_spectra["formation_energy_per_atom"] is None
    assert only_spectra["phdos_density"].tolist() == [1.0] * 201
    assert only_spectra["edos_density"].tolist() == [2.0] * 300  # figshare's file has the up channel only
    assert only_properties["fingerprint"] == only_spectra["fingerprint"]


def test_spectra_of_an_unknown_jid_become_a_crystal_of_their_own(tmp_path: Path, params: GenerateCifParams) -> None:
    write_jarvis(
        tmp_path,
        [{"jid": "A", "atoms": jarvis_atoms()}],
        [{"jid": jid, "atoms": jarvis_atoms(), "edos_up": [1.0] * 300} for jid in ("A", "B")],
    )
    crystals, ledger = collected(tmp_path, params)
    assert set(_columns(crystals)) == {"A", "B"}
    assert ledger.of("jarvis").as_dict() == {"raw": 3, "crystals": 2, "merged": 1, "rejected": 0}


def test_narratives_alone_become_crystals_named_after_file_and_row(tmp_path: Path, params: GenerateCifParams) -> None:
    rows = [
        {"atoms": jarvis_atoms(), "gpt_text": "Salt.", "band gap": 5.0},
        {"atoms": jarvis_atoms(("K", "Cl")), "gpt_text": "Sylvite.", "band gap": -1.0},
    ]
    write_narratives(tmp_path, rows, corpus="aflow2")
    crystals, ledger = collected(tmp_path, params)
    found = _columns(crystals)
    assert {name: row["narrative"] for name, row in found.items()} == {
        "aflow2-000000": "Salt.",
        "aflow2-000001": "Sylvite.",
    }
    assert found["aflow2-000000"]["band_gap"] == 5.0
    assert found["aflow2-000001"]["band_gap"] is None
    assert "negative" in ledger.notes[0][3]


@pytest.mark.parametrize(
    "columns",
    [
        {
            "gap": "band gap (eV)",
            "energy": "formation energy per atom (eV/atom)",
            "hull": "energy above hull (eV/atom)",
        },
        {"gap": "band gap", "energy": "formation energy per atom", "hull": "energy above hull"},
        {"gap": "_oqmd_band_gap", "energy": "_oqmd_delta_e", "hull": "_oqmd_stability"},
    ],
)
def test_every_naming_of_the_narrative_columns_is_read(
    columns: dict[str, str], tmp_path: Path, params: GenerateCifParams
) -> None:
    row = {"atoms": jarvis_atoms(), "gpt_text": "Salt.", "id": 17}
    row |= {columns["gap"]: 5.1, columns["energy"]: -2.0, columns["hull"]: 0.25, "a column nobody knows": [1]}
    write_narratives(tmp_path, [row])
    (crystal,) = collected(tmp_path, params)[0]
    assert crystal.source_id == "17"
    found = (crystal.columns[name] for name in ("band_gap", "formation_energy_per_atom", "energy_above_hull"))
    assert tuple(found) == (5.1, -2.0, 0.25)


def test_a_narrative_goes_to_the_known_crystal_however_its_cell_is_chosen(
    tmp_path: Path, params: GenerateCifParams
) -> None:
    cubic = {
        "lattice_mat": [[5.62, 0, 0], [0, 5.62, 0], [0, 0, 5.62]],
        "coords": [[x / 2, y / 2, z / 2] for x, y, z in itertools.product(range(2), repeat=3)],
        "elements": ["Cl " if sum(corner) % 2 else " Na" for corner in itertools.product(range(2), repeat=3)],
        "cartesian": False,
    }
    write_materials_project(tmp_path, [mp_document("mp-1")])
    write_narratives(tmp_path, [{"atoms": cubic, "gpt_text": "First."}, {"atoms": cubic, "gpt_text": "Second."}])
    crystals, ledger = collected(tmp_path, params)
    assert [crystal.columns["narrative"] for crystal in crystals] == ["First."]
    assert ledger.of("narratives").as_dict() == {"raw": 2, "crystals": 0, "merged": 2, "rejected": 0}
    assert [(note[1], note[3]) for note in ledger.notes] == [
        ("mp_3d_2020-000001", "text not used: mp-1 has a narrative already")
    ]


def test_the_questions_of_a_narrative_go_where_it_goes(tmp_path: Path, params: GenerateCifParams) -> None:
    write_materials_project(tmp_path, [mp_document("mp-1")])
    asked = {"structure_question_list": ["This material is cubic.", "This material is trigonal."]}
    rows = [{"atoms": jarvis_atoms(elements), "gpt_text": "Salt.", **asked} for elements in (("Na", "Cl"), ("K", "Cl"))]
    write_narratives(tmp_path, rows)
    crystals = _columns(collected(tmp_path, params)[0])
    assert set(crystals) == {"mp-1", "mp_3d_2020-000001"}
    for columns in crystals.values():
        assert json.loads(columns["questions"]) == {"structure": asked["structure_question_list"]}


def test_a_narrative_of_another_structure_with_the_same_formula_and_group_stays_apart(
    tmp_path: Path, params: GenerateCifParams
) -> None:
    def layered(height: float) -> dict[str, Any]:
        return {
            "lattice_mat": [[3, 0, 0], [0, 3, 0], [0, 0, 9]],
            "coords": [[0, 0, 0], [0.5, 0.5, height], [0.5, 0.5, -height]],
            "elements": ["Ca", "F", "F"],
        }

    write_jarvis(tmp_path, [{"jid": "JVASP-1", "atoms": layered(0.12)}])
    write_narratives(tmp_path, [{"atoms": layered(0.42), "gpt_text": "Another."}])
    crystals, _ = collected(tmp_path, params)
    assert len({crystal.columns["space_group_number"] for crystal in crystals}) == 1
    assert [crystal.columns["narrative"] for crystal in crystals] == [None, "Another."]


def test_magnetization_is_per_formula_unit_and_moduli_are_numbers_or_averages(
    tmp_path: Path, params: GenerateCifParams
) -> None:
    document = mp_document("mp-1", bulk_modulus={"vrh": 24.0, "reuss": 1.0}, shear_modulus=15.0)
    single = mp_document("mp-2", total_magnetization=2.0)
    double = copy.deepcopy(single) | {"material_id": "mp-3", "total_magnetization": 4.0}
    double["structure"]["lattice"]["matrix"] = (2 * np.array(double["structure"]["lattice"]["matrix"])).tolist()
    double["structure"]["sites"] += [
        {"species": [{"element": element, "occu": 1}], "abc": abc}
        for element, abc in (("Na", [0.5, 0, 0]), ("Cl", [0, 0.5, 0]))
    ]
    write_materials_project(tmp_path, [document, single, double])
    found = _columns(collected(tmp_path, params)[0])
    assert (found["mp-1"]["bulk_modulus"], found["mp-1"]["shear_modulus"]) == (24.0, 15.0)
    assert found["mp-2"]["total_magnetization"] == found["mp-3"]["total_magnetization"] == 2.0


def test_a_complete_dos_of_pymatgen_adds_its_spin_channels(tmp_path: Path, params: GenerateCifParams) -> None:
    dos = {
        "@module": "pymatgen.electronic_structure.dos",
        "@class": "CompleteDos",
        "efermi": 3.0,
        "energies": [1.0, 3.0, 4.0],
        "densities": {"1": [1.0, 2.0, 0.0], "-1": [0.5, 1.0, 0.0]},
        "pdos": [],
    }
    phonons = {"@class": "PhononDos", "frequencies": [-1.0, 0.0, 10.0], "densities": [0.1, 0.2, 0.3]}
    write_materials_project(tmp_path, [mp_document("mp-1", dos=dos, phonon_dos=phonons)])
    row = _columns(collected(tmp_path, params)[0])["mp-1"]
    assert row["edos_energy"].tolist() == [-2.0, 0.0, 1.0]
    assert row["edos_density"].tolist() == [1.5, 3.0, 0.0]
    np.testing.assert_allclose(row["phdos_frequency"], [-33.35641, 0, 333.5641], rtol=1e-6)
    weights = row["phdos_density"] * 33.35641
    np.testing.assert_allclose(weights, [0.1, 0.2, 0.3], rtol=1e-6)


def test_disordered_and_oxidised_sites_keep_their_elements_and_occupancies(
    tmp_path: Path, params: GenerateCifParams
) -> None:
    document = mp_document("mp-1")
    document["structure"]["sites"][0]["species"] = [
        {"element": "Fe", "occu": 0.25, "oxidation_state": 2},
        {"element": "Fe", "occu": 0.25, "oxidation_state": 3},
        {"element": "Ni", "occu": 0.5},
    ]
    write_materials_project(tmp_path, [document])
    (crystal,) = collected(tmp_path, params)[0]
    assert crystal.columns["formula"] == "FeNiCl2"
    disordered = structure_from_cif(crystal.columns["cif"])
    doubled = describe_structure(disordered * (2, 1, 1), params.symmetry_tolerance)
    assert (doubled["formula"], doubled["fingerprint"]) == ("FeNiCl2", crystal.columns["fingerprint"])
    mixed = next(site.species for site in disordered if len(site.species) > 1)
    assert {element.symbol: amount for element, amount in mixed.items()} == {"Fe": 0.5, "Ni": 0.5}


def _broken_structure(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    document = mp_document("mp-1")
    target = document["structure"]
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"material_id": "mp-1"}, "no structure"),
        (_broken_structure(("sites",), []), "no atoms"),
        (_broken_structure(("sites", 0, "abc"), [0, 0, math.nan]), "not finite"),
        (_broken_structure(("sites", 0, "abc"), [0, 0]), "list of numbers"),
        (_broken_structure(("lattice", "matrix"), [[1, 0, 0], [2, 0, 0], [0, 0, 1]]), "no volume"),
        (
            _broken_structure(("lattice", "matrix"), [[1e300, 0, 0], [0, 1e300, 0], [0, 0, 1e300]]),
            "absurdly large",
        ),
        (_broken_structure(("sites", 1, "abc"), [0.01, 0.99, 0.0]), "apart"),
        (_broken_structure(("sites", 0, "species"), [{"element": "Xx", "occu": 1}]), "unknown element 'Xx'"),
        (_broken_structure(("sites", 0, "species"), [{"element": "Na", "occu": 1.2}]), "occupancy 1.2"),
        (_broken_structure(("sites", 0, "species"), [{"element": "Na"}]), "no element or occupancy"),
        ('{"material_id": "mp-1", "structure": {"lattice"', "no complete JSON document"),
        ("[1, 2]", "no JSON object"),
        (mp_document("") | {"material_id": None}, "no material_id"),
    ],
)
def test_a_bad_document_is_rejected_with_its_reason_and_the_rest_goes_on(
    record: dict[str, Any] | str, reason: str, tmp_path: Path, params: GenerateCifParams
) -> None:
    write_materials_project(tmp_path, [record, mp_document("mp-2")])
    crystals, ledger = collected(tmp_path, params)
    assert [crystal.source_id for crystal in crystals] == ["mp-2"]
    ((source, _, stage, found),) = ledger.rejected
    assert (source, stage) == ("materials_project", "generate_cif")
    assert reason in found


def test_the_second_of_two_rows_of_a_source_with_one_id_is_rejected(tmp_path: Path, params: GenerateCifParams) -> None:
    write_materials_project(tmp_path, [mp_document("X", band_gap=1.0), mp_document("X", band_gap=2.0)])
    crystals, ledger = collected(tmp_path, params)
    assert [crystal.columns["band_gap"] for crystal in crystals] == [1.0]
    assert ["duplicate" in line[3] for line in ledger.rejected] == [True]


def test_one_id_in_two_sources_is_one_crystal_if_the_structures_agree(
    tmp_path: Path, params: GenerateCifParams
) -> None:
    write_materials_project(tmp_path, [mp_document("X", band_gap=1.0), mp_document("Y")])
    spectrum = {"pdos_elast": [1.0] * 201}
    same = {"jid": "X", "atoms": jarvis_atoms(), "optb88vdw_bandgap": 2.0, "ehull": "none", "bulk_modulus_kv": 24.0}
    write_jarvis(tmp_path, [same, {"jid": "Y", "atoms": jarvis_atoms(("K", "Cl"))}], [{"jid": "X", **spectrum}])
    crystals, ledger = collected(tmp_path, params)
    found = _columns(crystals)
    assert [found["X"][name] for name in ("source", "band_gap", "bulk_modulus")] == ["materials_project", 1.0, 24.0]
    assert found["X"]["phdos_density"].tolist() == [1.0] * 201
    assert (found["Y"]["formula"], found["Y"]["bulk_modulus"]) == ("NaCl", None)
    assert ledger.of("jarvis").as_dict() == {"raw": 3, "crystals": 0, "merged": 2, "rejected": 1}
    assert _reasons(ledger) == {"Y": "the crystal of materials_project with this id is another one"}


def test_too_many_atoms_are_named_with_the_parameter(tmp_path: Path, params: GenerateCifParams) -> None:
    write_materials_project(tmp_path, [mp_document("mp-1")])
    _, ledger = collected(tmp_path, params.model_copy(update={"max_atoms": 1}))
    assert "max_atoms = 1" in _reasons(ledger)["mp-1"]


def test_an_unusable_spectrum_or_number_costs_only_itself_and_is_noted(
    tmp_path: Path, params: GenerateCifParams
) -> None:
    document = mp_document(
        "mp-1",
        band_gap="wide",
        energy_per_atom="na",
        energy_above_hull=1e300,
        formation_energy_per_atom=-1.5,
        dos={"efermi": None, "energies": [0, 1], "densities": {"1": [0, 1]}},
        phonon_dos={"frequencies": [0, 1, 2], "densities": [1, 2]},
    )
    write_materials_project(tmp_path, [document])
    crystals, ledger = collected(tmp_path, params)
    row = crystals[0].columns
    assert row["formation_energy_per_atom"] == -1.5
    assert [row[name] for name in ("band_gap", "energy_above_hull", "edos_density", "phdos_density")] == [None] * 4
    notes = " | ".join(note[3] for note in ledger.notes)
    assert row["energy_per_atom"] is None  # said to be missing, so nothing to note
    assert len(ledger.notes) == 4
    for part in ("band_gap is not a number: 'wide'", "no Fermi energy", "phonon DOS has shape"):
        assert part in notes


def test_a_file_that_breaks_off_keeps_what_came_before(tmp_path: Path, params: GenerateCifParams) -> None:
    noise = np.random.RandomState(0)  # does not compress, so that the end of the file is the last document
    write_materials_project(tmp_path, [mp_document(f"mp-{i}", note=noise.bytes(5000).hex()) for i in range(5)])
    write_jarvis(tmp_path, [{"jid": f"J{i}", "atoms": jarvis_atoms()} for i in range(3)])
    compressed = tmp_path / "materials_project" / "materials_project.jsonl.gz"
    compressed.write_bytes(compressed.read_bytes()[:-3000])
    plain = tmp_path / "jarvis" / "jarvis_dft_3d.json"
    text = gzip.decompress((tmp_path / "jarvis" / "jarvis_dft_3d.json.gz").read_bytes())
    (tmp_path / "jarvis" / "jarvis_dft_3d.json.gz").unlink()
    plain.write_bytes(text[:-30])
    crystals, ledger = collected(tmp_path, params)
    assert {"J0", "J1"} <= set(_columns(crystals))
    assert "J2" not in _columns(crystals)
    assert ledger.of("materials_project").crystals == 4
    reasons = " | ".join(line[3] for line in ledger.rejected)
    assert "materials_project.jsonl.gz cannot be read any further" in reasons
    assert "jarvis_dft_3d.json breaks off or is damaged behind record 2" in reasons


def test_a_parquet_that_is_none_is_one_reject(tmp_path: Path, params: GenerateCifParams) -> None:
    (tmp_path / "narratives").mkdir()
    (tmp_path / "narratives" / "narratives_x.parquet").write_bytes(b"PAR1 but not really")
    _, ledger = collected(tmp_path, params)
    assert "narratives_x.parquet cannot be read" in _reasons(ledger)["x"]


def _run_main(folder: Path, raw: Path, workers: int, chunk_size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    shutil.copytree(raw, folder / "data" / "raw")
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (folder / "params.yaml").write_text(text.replace("chunk_size: 32", f"chunk_size: {chunk_size}"), encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(parallel, "SECONDS_BEFORE_WORKERS", 0.0)
    monkeypatch.setenv("XTALK_WORKERS", str(workers))
    main()


def test_workers_and_chunks_change_no_byte_of_the_outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = tmp_path / "raw"
    write_materials_project(raw, mutated_records(read_sample_materials_project(), 30, seed=4))
    write_jarvis(raw, read_sample_json("jarvis_dft_3d.json.gz")[:20], read_sample_json("jarvis_edos_pdos.json.gz")[:10])
    write_narratives(raw, read_sample_narratives()[:30])
    for name, workers, chunk_size in (("one", 1, 32), ("two", 2, 3)):
        _run_main(tmp_path / name, raw, workers, chunk_size, monkeypatch)
    for file in ("crystals.parquet", "rejected.csv", "notes.csv", "crystals_counts.json"):
        assert (tmp_path / "one" / "data" / file).read_bytes() == (tmp_path / "two" / "data" / file).read_bytes()


def test_the_stage_writes_sorted_split_crystals_and_its_books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_materials_project(tmp_path / "raw", [mp_document("mp-2"), mp_document("mp-1"), {"material_id": "mp-3"}])
    _run_main(tmp_path / "run", tmp_path / "raw", 1, 32, monkeypatch)
    table = read_table(Path("data/crystals.parquet"))
    assert table.column("material_id").to_pylist() == ["mp-1", "mp-2"]
    assert len(set(table.column("split").to_pylist())) == 1  # one composition
    assert table.schema.field("band_gap").metadata == {b"unit": b"eV"}
    assert [row["source_id"] for row in read_csv(Path("data/rejected.csv"))] == ["mp-3"]
    counts = read_json(Path("data/crystals_counts.json"))
    assert counts["source"]["materials_project"] == {"raw": 3, "crystals": 2, "merged": 0, "rejected": 1}
    assert counts["source"]["jarvis"]["raw"] == 0


def test_the_books_name_the_version_of_every_raw_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"narratives_dft_3d.parquet": {"sha256": "0" * 64, "bytes": 12, "revision": "8f3c1d5e"}}
    for source, text in (("narratives", json.dumps({"files": files})), ("jarvis", "{}"), ("own", "no JSON")):
        (tmp_path / "raw" / source).mkdir(parents=True)
        (tmp_path / "raw" / source / "manifest.json").write_text(text)
    _run_main(tmp_path / "run", tmp_path / "raw", 1, 32, monkeypatch)
    found = read_json(Path("data/crystals_counts.json"))["raw_files"]
    assert found["narratives"] == files
    assert all(of_source == {} for source, of_source in found.items() if source != "narratives")


def test_a_run_that_fails_leaves_the_table_of_the_run_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_materials_project(tmp_path / "raw", [mp_document("mp-1"), mp_document("mp-2")])
    _run_main(tmp_path / "run", tmp_path / "raw", 1, 32, monkeypatch)
    before = {path: path.read_bytes() for path in Path("data").glob("*.*")}
    added: list[str] = []

    def failing(store: CrystalStore, crystal: Crystal) -> None:
        added.append(crystal.source_id)
        if len(added) == 2:
            raise OSError("disk full")

    monkeypatch.setattr(CrystalStore, "add", failing)
    with pytest.raises(OSError, match="disk full"):
        main()
    assert {path: path.read_bytes() for path in Path("data").glob("*.*")} == before


def test_the_stage_without_any_raw_file_writes_empty_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "raw").mkdir()
    _run_main(tmp_path / "run", tmp_path / "raw", 2, 32, monkeypatch)
    assert read_table(Path("data/crystals.parquet")).num_rows == 0
    assert "there is no crystal" in capsys.readouterr().out
