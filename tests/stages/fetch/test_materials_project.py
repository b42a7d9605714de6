import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymatgen.core import Structure
from pymatgen.electronic_structure.dos import Dos
from pymatgen.phonon.dos import PhononDos

from stages.fetch.materials_project import download
from stages.fetch.materials_project_api import MaterialsProjectApi
from stages.fetch.retries import RetryPolicy
from stages.shared.errors import StageError
from stages.shared.params import MaterialsProjectFetchParams
from stages.shared.sources import materials_project
from stages.shared.sources.record import RawRow
from tests.stages.fetch.conftest import InterruptedRun
from tests.stages.fetch.loopback import HTML, Loopback, Reply, serve, sleeps_instead, unused_address
from tests.stages.fetch.materials_project import KEY, VERSION, MaterialsProject, sample_materials

QUICK = RetryPolicy(attempts=4, first_wait=0.001, longest_wait=0.01)
EVERYTHING: dict[str, Any] = {
    "elements": [],
    "n_atoms": [1, 500],
    "max_energy_above_hull": None,
    "required": [],
    "spectra": ["electron_dos", "phonon_dos"],
}


def _params(**values: Any) -> MaterialsProjectFetchParams:
    return MaterialsProjectFetchParams.model_validate(EVERYTHING | values)


def _lines(run: InterruptedRun) -> list[str]:
    with gzip.open(run.folder / "data/raw/materials_project/materials_project.jsonl.gz", "rt") as file:
        return file.read().splitlines()


def test_every_document_arrives_with_its_description_and_its_spectra(interrupted_run: InterruptedRun) -> None:
    documents = [json.loads(line) for line in _lines(interrupted_run)]
    expected = sorted((one.expected() for one in interrupted_run.materials), key=lambda one: one["material_id"])
    assert [one["material_id"] for one in documents] == [one["material_id"] for one in expected]
    fields = {
        *("material_id", "structure", "description", "dos", "phonon_dos", "energy_per_atom", "energy_above_hull"),
        *("formation_energy_per_atom", "band_gap", "bulk_modulus", "shear_modulus", "total_magnetization"),
    }
    for found, wanted in zip(documents, expected, strict=True):
        assert {name: found[name] for name in fields} == {name: wanted[name] for name in fields}
    assert sum(one["dos"] is not None for one in documents) > 100
    assert sum(one["phonon_dos"] is not None for one in documents) > 100


def test_the_parser_reads_a_downloaded_line_as_pymatgen_does(interrupted_run: InterruptedRun) -> None:
    for line in _lines(interrupted_run)[:40]:
        document = json.loads(line)
        record = materials_project.parse(RawRow("materials_project", "line 1", {"materials_project": line}))
        assert record.notes == ()
        assert record.structure == Structure.from_dict(document["structure"])
        if document["dos"]:
            dos = Dos.from_dict(document["dos"])
            assert record.edos is not None
            np.testing.assert_allclose(record.edos.x, dos.energies - dos.efermi)
            np.testing.assert_allclose(record.edos.density, dos.get_densities())
        if document["phonon_dos"]:
            phonons = PhononDos.from_dict(document["phonon_dos"])
            assert record.phdos is not None
            np.testing.assert_allclose(record.phdos.x, phonons.frequencies * 33.35641)
            np.testing.assert_allclose(record.phdos.density, phonons.densities / 33.35641)


def test_the_manifest_names_the_version_of_the_database(interrupted_run: InterruptedRun) -> None:
    raw = interrupted_run.folder / "data/raw/materials_project"
    content = (raw / "materials_project.jsonl.gz").read_bytes()
    facts = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "database_version": VERSION}
    assert json.loads((raw / "manifest.json").read_text()) == {"files": {"materials_project.jsonl.gz": facts}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    with serve(MaterialsProject(sample_materials(281), tmp_path_factory.mktemp("bucket"))) as loopback:
        yield loopback


@pytest.fixture(scope="module")
def api(server: Loopback) -> MaterialsProjectApi:
    server.faults.extend([Reply(status=503), HTML])
    return MaterialsProjectApi(KEY, server.url, QUICK)


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({}, lambda one: True),
        ({"elements": ["O", "Ti"]}, lambda one: {"O", "Ti"} <= set(Structure.from_dict(one["structure"]).symbol_set)),
        ({"n_atoms": [3, 5]}, lambda one: 3 <= len(one["structure"]["sites"]) <= 5),
        ({"max_energy_above_hull": 0.05}, lambda one: one["energy_above_hull"] <= 0.05),
        ({"required": ["phonon_dos", "elasticity"]}, lambda one: one["phonon_dos"] and one["bulk_modulus"]),
        ({"required": ["electron_dos"]}, lambda one: one["dos"]),
    ],
)
def test_filters_are_those_of_the_documents(filters: dict[str, Any], wanted: Any, api: MaterialsProjectApi) -> None:
    expected = sorted(one.material_id for one in sample_materials(281) if wanted(one.document))
    assert expected
    assert api.material_ids(_params(**filters), page=1) == expected
    assert api.material_ids(_params(**filters), page=2) == []


FAULTS = {
    "rate limit": Reply(status=429, headers={"Retry-After": "0"}),
    "unavailable": Reply(status=503),
    "web page": HTML,
    "truncated": Reply(b'{"data": [{"material_id"', headers={"Content-Type": "application/json"}),
    "broken off": Reply(b'{"data": []}', cut=5),
    "no documents": Reply(b'{"error": "busy"}', headers={"Content-Type": "application/json"}),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_question_is_asked_again_until_it_is_answered(
    fault: Reply, server: Loopback, api: MaterialsProjectApi
) -> None:
    server.faults.extend([fault, fault])
    assert len(api.descriptions(["mp-149", "mp-1146"])) == 2
    server.faults.extend([fault] * 4)
    with pytest.raises(StageError, match=r"failed 4 times in a row, the last time: .*goes on where it stopped"):
        api.descriptions(["mp-149"])


def test_a_wrong_key_is_one_sentence_and_asked_once(server: Loopback) -> None:
    api = MaterialsProjectApi("0" * 32, server.url, QUICK)
    server.requests.clear()
    with pytest.raises(StageError, match="is the key right"):
        api.summaries(["mp-149"])
    assert len(server.requests) == 1


@pytest.mark.parametrize(("key", "found"), [("", "holds none"), ("short", "holds 5")])
def test_without_a_key_the_sentence_says_where_to_get_one(
    key: str, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MP_API_KEY", key)
    with pytest.raises(StageError, match=rf"MP_API_KEY, which {found}; next-gen\.materialsproject\.org/api"):
        download(_params(), tmp_path, tmp_path)


def test_without_a_network_the_sentence_comes_within_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MP_API_KEY", KEY)
    monkeypatch.setenv("XTALK_MATERIALS_PROJECT_ENDPOINT", unused_address())
    sleeps = sleeps_instead(monkeypatch)
    with pytest.raises(StageError, match=r"no connection \(is there a network\?\)"):
        download(_params(), tmp_path, tmp_path)
    assert sum(sleeps) < 3


def test_an_element_that_does_not_exist_is_named_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="elements names Xx, which is no element"):
        download(_params(elements=["O", "Xx"]), tmp_path, tmp_path)


def test_a_range_the_wrong_way_round_is_refused() -> None:
    with pytest.raises(ValueError, match="smaller number first"):
        _params(n_atoms=[20, 2])
