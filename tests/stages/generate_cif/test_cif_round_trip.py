"""The CIF of a crystal reads back to the same structure, whatever the cell and the sites."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from stages.generate_cif.validity import faithful_cif, usable_structure
from stages.shared.sources.record import BadRecord, crystal_structure
from stages.shared.structures import structure_from_cif

_coordinate = st.one_of(
    st.floats(-2.0, 2.0),
    st.sampled_from([0.0, 1 / 3, 2 / 3, 0.33333, 0.66667, 0.3333, -1 / 3, 4 / 3, 1.0, -1e-17, 1 - 1e-12]),
    st.floats(1 / 3 - 2e-4, 1 / 3 + 2e-4),
)
_species = st.one_of(
    st.sampled_from(["Na", "Cl", "H", "D", "U", "O"]).map(lambda symbol: {symbol: 1.0}),
    st.sampled_from(
        [
            {"Fe": 0.5, "Ni": 0.5},
            {"O": 0.25},
            {"Mg": 0.1, "Al": 0.333, "Si": 0.2},
            {"Cs": 0.1, "Rb": 0.7, "K": 0.2},
            {"Ti": 0.35, "Zr": 0.65005},
        ]
    ),
)
_sites = st.lists(st.tuples(_species, st.tuples(_coordinate, _coordinate, _coordinate)), min_size=1, max_size=6)
_vectors = st.lists(st.tuples(*[st.floats(-9.0, 9.0)] * 3), min_size=3, max_size=3)


def _assert_same(found: Structure, expected: Structure) -> None:
    np.testing.assert_allclose(found.lattice.parameters, expected.lattice.parameters, rtol=0, atol=1e-9)
    assert len(found) == len(expected)
    for mine, theirs in zip(found, expected, strict=True):
        shift = mine.frac_coords - theirs.frac_coords
        shift -= np.round(shift)
        assert np.linalg.norm(expected.lattice.get_cartesian_coords(shift)) < 1e-7
        assert dict(mine.species) == dict(theirs.species)


@settings(max_examples=150, deadline=None)
@given(vectors=_vectors, sites=_sites)
def test_lattice_sites_and_species_survive(vectors: list[tuple[float, ...]], sites: list) -> None:
    try:
        raw = crystal_structure(vectors, [species for species, _ in sites], [coords for _, coords in sites])
        structure = usable_structure(raw, max_atoms=10)
    except BadRecord:
        assume(False)
    _assert_same(structure_from_cif(faithful_cif(structure)), structure.get_sorted_structure())


@pytest.mark.parametrize("lattice", [Lattice.cubic(2.5), Lattice.from_parameters(90, 3, 250, 91, 119, 60)])
def test_tiny_and_huge_cells_survive(lattice: Lattice) -> None:
    structure = usable_structure(Structure(lattice, ["Cs"], [[0.1, 0.9, 1 / 3]]), max_atoms=10)
    _assert_same(structure_from_cif(faithful_cif(structure)), structure.get_sorted_structure())


@settings(max_examples=50, deadline=None)
@given(vectors=_vectors, sites=_sites)
def test_a_usable_structure_has_its_atoms_where_the_source_put_them_in_a_right_handed_cell(
    vectors: list[tuple[float, ...]], sites: list
) -> None:
    try:
        raw = crystal_structure(vectors, [species for species, _ in sites], [coords for _, coords in sites])
        structure = usable_structure(raw, max_atoms=10)
    except BadRecord:
        assume(False)
    assert np.linalg.det(structure.lattice.matrix) > 0
    for site in raw:
        same_species = [other.coords for other in structure if other.species == site.species]
        shift = raw.lattice.get_fractional_coords(np.array(same_species) - site.coords)
        shift = raw.lattice.get_cartesian_coords(shift - np.round(shift))
        assert np.linalg.norm(shift, axis=1).min() < 1e-6
    change = structure.lattice.matrix @ np.linalg.inv(raw.lattice.matrix)
    np.testing.assert_allclose(change, np.round(change), atol=1e-9)
    assert abs(np.linalg.det(np.round(change))) == pytest.approx(1)
