"""Dictionaries of pymatgen's densities of states in documents of the Materials Project."""

import json
from typing import Any

import numpy as np
import pytest
from pymatgen.core import Element, Structure
from pymatgen.electronic_structure.core import Orbital, Spin
from pymatgen.electronic_structure.dos import CompleteDos, Dos
from pymatgen.phonon.dos import CompletePhononDos, PhononDos

from stages.shared.sources.materials_project import CM_PER_THZ, parse
from stages.shared.sources.record import CrystalRecord, RawRow
from tests.stages.raw_records import mp_document

SALT = Structure.from_dict({"@module": "", **mp_document("")["structure"]}) * (2, 1, 1)
ENERGIES = np.linspace(-8.0, 6.0, 71)
TERAHERTZ = np.linspace(0.0, 9.0, 91)


def _peak(x: np.ndarray, place: float) -> np.ndarray:
    return np.exp(-(((x - place) / (x[-1] / 8)) ** 2))


def _electrons() -> CompleteDos:
    """Half of the states of each site and spin lie within its sphere, in two orbitals."""
    sites: dict[Any, Any] = {}
    total = {spin: np.zeros_like(ENERGIES) for spin in Spin}
    for site in SALT:
        peaks = {spin: _peak(ENERGIES, site.specie.Z / 5 - 5 + 0.3 * spin.value) for spin in Spin}
        sites[site] = {orbital: {spin: 0.25 * peaks[spin] for spin in Spin} for orbital in (Orbital.s, Orbital.px)}
        total = {spin: total[spin] + peaks[spin] for spin in Spin}
    return CompleteDos(SALT, Dos(1.5, ENERGIES, total), sites)


def _phonons() -> CompletePhononDos:
    sites = {site: _peak(TERAHERTZ, 3.0 if site.specie.symbol == "Cl" else 5.0) for site in SALT}
    return CompletePhononDos(SALT, PhononDos(TERAHERTZ, sum(sites.values())), sites)


def _parsed(**fields: Any) -> CrystalRecord:
    document = mp_document("mp-1") | {"structure": SALT.as_dict()} | fields
    return parse(RawRow("materials_project", "line 1", {"materials_project": json.dumps(document, default=float)}))


def test_parts_of_electrons_are_those_that_pymatgen_adds_up_by_element() -> None:
    record = _parsed(dos=_electrons().as_dict())
    assert record.notes == ()
    assert record.edos_projected is not None
    expected = {element.symbol: sum(dos.densities.values()) for element, dos in _electrons().get_element_dos().items()}
    assert set(record.edos_projected) == set(expected) == {"Na", "Cl"}
    for symbol, density in expected.items():
        np.testing.assert_allclose(record.edos_projected[symbol], density)


def test_parts_of_phonons_are_those_that_pymatgen_adds_up_by_element() -> None:
    record = _parsed(phonon_dos=_phonons().as_dict())
    assert record.notes == ()
    assert record.phdos is not None
    assert record.phdos_projected is not None
    for symbol in ("Na", "Cl"):
        expected = _phonons().get_element_dos()[Element(symbol)].densities / CM_PER_THZ
        np.testing.assert_allclose(record.phdos_projected[symbol], expected)
    np.testing.assert_allclose(sum(record.phdos_projected.values()), record.phdos.density)


def test_a_dos_without_parts_is_no_fault() -> None:
    electrons, phonons = _electrons(), _phonons()
    plain = {
        "efermi": 1.5,
        "energies": ENERGIES.tolist(),
        "densities": {"1": sum(electrons.densities.values()).tolist()},
    }
    record = _parsed(dos=plain, phonon_dos=PhononDos(TERAHERTZ, phonons.densities).as_dict())
    assert (record.edos is None, record.phdos is None) == (False, False)
    assert (record.edos_projected, record.phdos_projected, record.notes) == (None, None, ())


@pytest.mark.parametrize(
    ("electrons", "phonons", "notes"),
    [
        (
            {"atom_dos": []},
            {"pdos": {}},
            ["electron DOS by element is no JSON object", "phonon DOS by site is missing"],
        ),
        ({"atom_dos": {"Na": {}}}, {"pdos": [[1.0]]}, ["electron DOS of Na has no densities", "by site has shape"]),
        ({"atom_dos": {}}, {"structure": None}, ["the phonon DOS by site is of unknown sites"]),
    ],
)
def test_parts_that_cannot_be_used_cost_only_themselves(
    electrons: dict[str, Any], phonons: dict[str, Any], notes: list[str]
) -> None:
    record = _parsed(dos=_electrons().as_dict() | electrons, phonon_dos=_phonons().as_dict() | phonons)
    assert (record.edos is None, record.phdos is None) == (False, False)
    assert (record.edos_projected, record.phdos_projected) == (None, None)
    assert len(record.notes) == len(notes)
    assert all(part in note for part, note in zip(notes, record.notes, strict=True))


def test_electrons_beyond_all_that_there_are_are_left_out() -> None:
    value = _electrons().as_dict()
    value["densities"] = {spin: [0.1 * one for one in channel] for spin, channel in value["densities"].items()}
    record = _parsed(dos=value)
    assert record.edos is not None
    assert record.edos_projected is None
    assert record.notes == ("the electron DOS by element does not add up to the total",)
