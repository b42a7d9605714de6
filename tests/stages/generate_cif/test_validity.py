import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Species, Structure

from stages.generate_cif.validity import faithful_cif, usable_structure
from stages.shared.sources.record import BadRecord
from stages.shared.structures import structure_from_cif


def _rejection(structure: Structure, max_atoms: int = 500) -> str:
    with pytest.raises(BadRecord) as caught:
        usable_structure(structure, max_atoms)
    return str(caught.value)


@settings(max_examples=60, deadline=None)
@given(
    distance=st.one_of(st.floats(0.01, 0.45), st.floats(0.55, 1.5)),
    direction=st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.1, 1)),
    origin=st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
    skew=st.integers(-5, 5),
)
def test_atoms_overlap_below_half_an_angstrom_across_every_face_of_every_cell(
    distance: float, direction: tuple[float, ...], origin: tuple[float, ...], skew: int
) -> None:
    lattice = Lattice([[4, 0, 0], [4 * skew, 5, 0], [0, 5 * skew, 6]])
    first = lattice.get_cartesian_coords(origin)
    second = first + distance * np.array(direction) / np.linalg.norm(direction)
    structure = Structure(lattice, ["C", "O"], [first, second], coords_are_cartesian=True)
    if distance < 0.5:
        assert f"{distance:.2f} Å apart" in _rejection(structure)
    else:
        assert len(usable_structure(structure, 2)) == 2


def test_an_atom_may_not_overlap_its_own_image() -> None:
    assert "apart" in _rejection(Structure(Lattice.orthorhombic(0.4, 20, 20), ["C"], [[0, 0, 0]]))


def test_a_sparse_cell_of_a_hundred_angstrom_is_searched_in_little_memory() -> None:
    structure = Structure(Lattice.cubic(900), ["C", "O"], [[0, 0, 0], [0.999, 0, 0]])
    assert len(usable_structure(structure, 2)) == 2
    assert "0.45 Å apart" in _rejection(Structure(Lattice.cubic(900), ["C", "O"], [[0, 0, 0], [0.9995, 0, 0]]))


def test_impossible_cells_are_rejected_with_the_number_that_is_wrong() -> None:
    assert "3 atoms" in _rejection(Structure(Lattice.cubic(9), ["C"] * 3, np.eye(3) / 3), max_atoms=2)
    assert "0.512 Å³" in _rejection(Structure(Lattice.cubic(0.8), ["H"], [[0, 0, 0]]))
    assert "5000 Å" in _rejection(Structure(Lattice.orthorhombic(3, 3, 5000), ["H"], [[0, 0, 0]]))
    flat = Lattice.from_parameters(30, 30, 30, 90, 90, 0.15)
    assert "almost parallel" in _rejection(Structure(flat, ["H"], [[0, 0, 0]]))


def test_a_site_that_oxygen_and_hydrogen_share_is_kept() -> None:
    structure = Structure(Lattice.cubic(4), [{"O": 0.5, "H": 0.5}, "Na"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    found = structure_from_cif(faithful_cif(usable_structure(structure, 2)))
    assert [dict(site.species.get_el_amt_dict()) for site in found] == [{"Na": 1.0}, {"O": 0.5, "H": 0.5}]


def test_what_a_cif_would_change_is_rejected() -> None:
    same_place = Structure(Lattice.cubic(4), [{"O": 0.5}, {"O": 0.4}], [[0, 0, 0], [0, 0, 0]])
    with pytest.raises(BadRecord, match="reads back with 1 instead of 2 atoms"):
        faithful_cif(same_place)
    rounded = Structure(Lattice.cubic(4), [Species("Fe", 2.337)], [[0, 0, 0]])
    with pytest.raises(BadRecord, match=r"reads back with Fe2\.34\+"):
        faithful_cif(rounded)
