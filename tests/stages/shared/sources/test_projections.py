"""Densities of states by element: which fit the total, and which are left out with a reason."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure
from pymatgen.phonon.dos import CompletePhononDos, PhononDos

from stages.shared.sources.projections import TOLERANCE, normalised_projections_of, projections_of
from stages.shared.sources.record import BadRecord, Spectrum

SALT = Structure(Lattice.cubic(4.0), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
X = np.linspace(0.0, 400.0, 81)
SODIUM = np.exp(-(((X - 120) / 40) ** 2))
CHLORINE = 2 * np.exp(-(((X - 240) / 50) ** 2))
TOTAL = Spectrum(X, SODIUM + CHLORINE)
PARTS = {"Na": SODIUM.tolist(), "Cl": CHLORINE.tolist()}


def test_parts_of_sites_added_up_by_pymatgen_come_back_sorted_by_symbol() -> None:
    double = SALT * (2, 1, 1)
    sites = [{"Na": SODIUM, "Cl": CHLORINE}[site.specie.symbol] / 2 for site in double]
    complete = CompletePhononDos(double, PhononDos(X, TOTAL.density), dict(zip(double, sites, strict=True)))
    value = {element.symbol: dos.densities.tolist() for element, dos in complete.get_element_dos().items()}
    found = projections_of(value, TOTAL, double, "phonon DOS")
    assert found is not None
    assert list(found) == ["Cl", "Na"]
    np.testing.assert_allclose(found["Na"], SODIUM)


@pytest.mark.parametrize("value", [PARTS, list(PARTS.items()), PARTS | {"K": None}])
def test_a_mapping_the_pairs_of_parquet_and_its_empty_fields_are_read_alike(value: Any) -> None:
    found = projections_of(value, TOTAL, SALT, "phonon DOS")
    assert found is not None
    assert {symbol: density.tolist() for symbol, density in found.items()} == PARTS


@pytest.mark.parametrize("value", [{}, [], {"Na": None}])
def test_none_is_none_and_no_fault(value: Any) -> None:
    assert projections_of(value, TOTAL, SALT, "phonon DOS") is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("Na", "is no list by symbol"),
        ([1.0, 2.0], "is no list by symbol"),
        ({"Na": PARTS["Na"]}, "by element has .'Na'., the structure Cl, Na"),
        (PARTS | {"K": PARTS["Na"]}, "the structure Cl, Na"),
        ({"Na": PARTS["Na"], "Xx": PARTS["Cl"]}, "the structure Cl, Na"),
        (PARTS | {"Na": PARTS["Na"][:-1]}, r"phonon DOS of Na has shape \(80,\), not 81"),
        (PARTS | {"Na": [PARTS["Na"]]}, "phonon DOS of Na has shape"),
        (PARTS | {"Cl": [*PARTS["Cl"][:-1], float("nan")]}, "phonon DOS of Cl holds a number that is not finite"),
        (PARTS | {"Cl": [*PARTS["Cl"][:-1], -0.1]}, "phonon DOS of Cl is negative"),
        (PARTS | {"Cl": 3}, "phonon DOS of Cl has shape"),
    ],
)
def test_what_cannot_be_used_has_its_reason(value: Any, reason: str) -> None:
    with pytest.raises(BadRecord, match=reason):
        projections_of(value, TOTAL, SALT, "phonon DOS")


@given(st.floats(0.01, 100), st.floats(0.01, 100), st.floats(0.01, 100), st.floats(0.01, 100))
def test_the_shares_that_a_normalisation_took_away_are_found(na: float, cl: float, by_na: float, by_cl: float) -> None:
    total = Spectrum(X, na * SODIUM + cl * CHLORINE)
    parts = {"Na": SODIUM / by_na, "Cl": CHLORINE / by_cl}
    found = normalised_projections_of(parts, total, SALT, "phonon DOS")
    assert found is not None
    np.testing.assert_allclose(found["Na"], na * SODIUM, rtol=1e-6)
    np.testing.assert_allclose(found["Cl"], cl * CHLORINE, rtol=1e-6)


@pytest.mark.parametrize("other", [3 * SODIUM, 0 * SODIUM])
def test_parts_that_cannot_be_told_apart_are_left_out(other: np.ndarray) -> None:
    with pytest.raises(BadRecord, match="cannot be weighed"):
        normalised_projections_of({"Na": SODIUM, "Cl": other}, TOTAL, SALT, "phonon DOS")


def test_a_weight_is_not_negative_where_that_would_fit_better() -> None:
    total = Spectrum(X, SODIUM - 0.02 * CHLORINE)
    found = normalised_projections_of({"Na": SODIUM, "Cl": CHLORINE}, total, SALT, "phonon DOS")
    assert found is not None
    assert (found["Cl"] == 0).all()


def test_normalised_densities_that_add_up_to_another_one_whatever_their_weights_are_left_out() -> None:
    total = Spectrum(X, SODIUM + CHLORINE + np.exp(-(((X - 360) / 20) ** 2)))
    with pytest.raises(BadRecord, match="does not add up"):
        normalised_projections_of({"Na": SODIUM, "Cl": CHLORINE}, total, SALT, "phonon DOS")


@pytest.mark.parametrize("sign", [1, -1])
def test_a_sum_counts_up_to_the_tolerance(sign: int) -> None:
    within, beyond = ({"Na": f * SODIUM, "Cl": f * CHLORINE} for f in (1 + sign * w * TOLERANCE for w in (0.99, 1.01)))
    assert projections_of(within, TOTAL, SALT, "phonon DOS") is not None
    with pytest.raises(BadRecord, match="does not add up"):
        projections_of(beyond, TOTAL, SALT, "phonon DOS")


def test_spheres_around_the_atoms_may_hold_less_than_all_electrons_but_not_more() -> None:
    less, more = {"Na": 0.3 * SODIUM, "Cl": 0.6 * CHLORINE}, {"Na": 1.5 * SODIUM, "Cl": 1.5 * CHLORINE}
    assert projections_of(less, TOTAL, SALT, "electron DOS", partial=True) is not None
    with pytest.raises(BadRecord, match="does not add up"):
        projections_of(more, TOTAL, SALT, "electron DOS", partial=True)
