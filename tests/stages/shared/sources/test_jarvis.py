"""The rows of JARVIS: joined on disk as one would join them in memory, out of any data set and packing."""

import gzip
import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.shared.sources import jarvis
from stages.shared.sources.record import BadRecord, CrystalRecord, RawRow, Reject
from tests.stages.raw_records import ROOT, SAMPLE, jarvis_atoms

_IDS = st.lists(st.sampled_from(["A", "B", "C", "D", "na", None, 7]), max_size=9)


def _write(folder: Path, lists: Mapping[str, list[Any]]) -> None:
    for name, records in lists.items():
        (folder / f"jarvis_{name}.json").write_text(json.dumps(records), encoding="utf-8")


def _joined_in_memory(spectra: list[Any], properties: list[Any]) -> list[tuple[str, ...]]:
    """The order and the parts of all rows, by dictionaries; a record without a usable jid is rejected in its place."""
    waiting: dict[str, Any] = {}
    rows: list[tuple[str, ...]] = []
    for number, record in enumerate(spectra, start=1):
        jid = record["jid"]
        if not isinstance(jid, str) or jid == "na":
            rows.append(("reject", f"record {number} of jarvis_edos_pdos"))
        elif jid in waiting:
            rows.append(("reject", jid))
        else:
            waiting[jid] = record
    for number, record in enumerate(properties, start=1):
        jid = record["jid"]
        if not isinstance(jid, str) or jid == "na":
            rows.append(("reject", f"record {number} of jarvis_dft_3d"))
        else:
            spectrum = waiting.pop(jid, None)
            rows.append((jid, json.dumps(record), *([] if spectrum is None else [json.dumps(spectrum)])))
    return rows + [(jid, json.dumps(record)) for jid, record in waiting.items()]


def _outline(row: RawRow | Reject) -> tuple[str, ...]:
    if isinstance(row, Reject):
        return ("reject", row.source_id)
    texts = (part if isinstance(part, str) else json.dumps(part) for part in row.parts.values())
    return (row.source_id, *texts)


@settings(max_examples=60, deadline=None)
@given(spectra=_IDS, properties=_IDS)
def test_rows_come_as_if_all_spectra_were_held_in_memory(
    spectra: list[Any], properties: list[Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("jarvis")
    lists = {
        "edos_pdos": [{"jid": jid, "place": place} for place, jid in enumerate(spectra)],
        "dft_3d": [{"jid": jid, "energy": place} for place, jid in enumerate(properties)],
    }
    _write(folder, lists)
    assert list(map(_outline, jarvis.rows(folder))) == _joined_in_memory(lists["edos_pdos"], lists["dft_3d"])


def test_the_files_may_be_plain_gzip_or_zip_whatever_path_is_in_it(tmp_path: Path) -> None:
    expected = list(map(_outline, jarvis.rows(SAMPLE)))
    assert len(expected) == 144
    for name in ("jarvis_dft_3d.json", "jarvis_edos_pdos.json"):
        content = gzip.decompress((SAMPLE / f"{name}.gz").read_bytes())
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("../../outside/of/the/folder.json", content)
            archive.writestr("__MACOSX/._folder.json", b"finder")
        (tmp_path / f"{name}.zip").write_bytes(packed.getvalue())
    assert list(map(_outline, jarvis.rows(tmp_path))) == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["jarvis_dft_3d.json.zip", "jarvis_edos_pdos.json.zip"]
    assert not (tmp_path / "../../outside").exists()


def test_a_record_of_megnet_gives_its_properties_in_our_names_and_units(tmp_path: Path) -> None:
    record = {
        "id": "mp-22862",
        "atoms": jarvis_atoms(),
        "formula": "NaCl",
        "desc": [],
        "e_form": -2.07,
        "gap pbe": 5.0,
        "e_hull": 0.0,
        "bulk modulus": 24,
        "shear modulus": "na",
        "elastic anisotropy": "na",
        "mu_b": 0.5,
    }
    _write(tmp_path, {"megnet": [record]})
    (row,) = jarvis.rows(tmp_path)
    assert isinstance(row, RawRow)
    crystal = jarvis.parse(row)
    assert crystal.source_id == "mp-22862"
    assert {name: value for name, value in crystal.properties.items() if value is not None} == {
        "formation_energy_per_atom": -2.07,
        "energy_above_hull": 0.0,
        "band_gap": 5.0,
        "bulk_modulus": 24.0,
        "total_magnetization": 0.5,
    }


def _moduli_record(**changes: Any) -> dict[str, Any]:
    moduli = {"bulk modulus": np.float64(1.38), "shear modulus": np.float32(1.25), "elastic anisotropy": "na"}
    return {"id": "mp-22862", "atoms": jarvis_atoms(), "e_form": -2.07, "gap pbe": 5.0, **moduli, **changes}


@pytest.mark.parametrize("modulus", ["bulk", "shear"])
@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_record_of_a_set_of_moduli_has_the_logarithm_of_its_own_only(
    modulus: str, split: str, tmp_path: Path
) -> None:
    path = tmp_path / f"jarvis_megnet_{modulus}_{split}.pkl"
    path.write_bytes(pickle.dumps([_moduli_record()]))
    (row,) = jarvis.rows(tmp_path)
    assert isinstance(row, RawRow)
    crystal = jarvis.parse(row)
    assert crystal.source_id == "mp-22862"
    assert {name: value for name, value in crystal.properties.items() if value is not None} == {
        "formation_energy_per_atom": -2.07,
        "band_gap": 5.0,
        f"log10_{modulus}_modulus": {"bulk": 1.38, "shear": 1.25}[modulus],
    }


def test_the_sets_of_moduli_come_one_after_the_other_and_their_broken_files_are_rejected(tmp_path: Path) -> None:
    for split, content in {
        "train": pickle.dumps([_moduli_record(id="mp-1"), "text", _moduli_record(id=None)]),
        "val": pickle.dumps([os.getcwd]),
        "test": pickle.dumps([_moduli_record(id="mp-2")]),
    }.items():
        (tmp_path / f"jarvis_megnet_bulk_{split}.pkl").write_bytes(content)
    found = [
        (row.source_id, row.reason if isinstance(row, Reject) else tuple(row.parts)) for row in jarvis.rows(tmp_path)
    ]
    assert [source_id for source_id, _ in found] == [
        "mp-1",
        "record 2 of jarvis_megnet_bulk_train",
        "record 3 of jarvis_megnet_bulk_train",
        "behind record 0 of jarvis_megnet_bulk_val",
        "mp-2",
    ]
    assert found[0][1] == ("jarvis_megnet_bulk_train",)
    assert "it names 'posix getcwd', which might run something" in found[3][1]


def test_what_only_a_pickle_can_hold_is_a_crystal_or_a_reason(tmp_path: Path) -> None:
    deep: Any = (1.0,)
    for _ in range(90):
        deep = [deep]
    odd = [b"x", (1, 2), (), ((1.0,) * 3,) * 3, 10**500, {1: 2}, {None: b""}, deep, [b"Na", b"Cl"], "\ud800", True]
    for value in odd:
        atoms = [_moduli_record(atoms=jarvis_atoms() | {name: value}) for name in jarvis_atoms()]
        records = [*atoms, *(_moduli_record(**{name: value}) for name in _moduli_record())]
        (tmp_path / "jarvis_megnet_bulk_train.pkl").write_bytes(pickle.dumps(records))
        rows = list(jarvis.rows(tmp_path))
        assert len(rows) == len(records)
        assert sum(isinstance(_parsed(row), CrystalRecord) for row in rows) >= 5


def _parsed(row: RawRow | Reject) -> CrystalRecord | str:
    if isinstance(row, Reject):
        return row.reason
    try:
        return jarvis.parse(row)
    except BadRecord as error:
        return str(error)


def test_dft_3d_2021_takes_the_same_spectra_as_dft_3d(tmp_path: Path) -> None:
    spectra = {"jid": "JVASP-1", "atoms": jarvis_atoms(), "pdos_elast": [1.0] * 201}
    record = {"jid": "JVASP-1", "atoms": jarvis_atoms(), "optb88vdw_bandgap": 5.2, "mbj_bandgap": 8.4}
    _write(tmp_path, {"dft_3d_2021": [record], "edos_pdos": [spectra]})
    (row,) = jarvis.rows(tmp_path)
    assert isinstance(row, RawRow)
    crystal = jarvis.parse(row)
    assert crystal.properties["band_gap"] == 5.2
    assert crystal.properties["mbj_band_gap"] == 8.4
    assert crystal.phdos is not None


MEASURE = """
import resource, sys
from pathlib import Path
from stages.shared.sources import jarvis
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = sum(1 for _ in jarvis.rows(Path(sys.argv[1])))
print(rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_memory_does_not_grow_with_the_spectra(tmp_path: Path) -> None:
    spectra = {"atoms": jarvis_atoms(), "edos_up": [0.123456789] * 300, "edos_down": [0.987654321] * 300}
    with (tmp_path / "jarvis_edos_pdos.json").open("w") as file:
        file.write("[")
        for number in range(6000):
            file.write(json.dumps(spectra | {"jid": f"JVASP-{number}"}) + ("," if number < 5999 else "]"))
    _write(tmp_path, {"dft_3d": [{"jid": f"JVASP-{number}"} for number in range(6000)]})
    megabytes = (tmp_path / "jarvis_edos_pdos.json").stat().st_size / 2**20
    assert megabytes > 45
    command = [sys.executable, "-c", MEASURE, str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    n_rows, grown = map(int, run.stdout.split())
    assert n_rows == 6000
    assert grown < megabytes / 2
