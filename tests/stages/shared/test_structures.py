"""Reading what was written gives the same crystal: any cell, any site, any species."""

import io

import numpy as np
import pytest
import spglib
from ase.io import read as read_with_ase
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pymatgen.core import Element, Lattice, Species, Structure
from pymatgen.io.cif import CifParser, CifWriter

from stages.shared.structures import structure_from_cif, structure_to_cif

PRECISION = 1e-7  # Å

_lattices = st.one_of(
    st.lists(st.tuples(*[st.floats(-9.0, 9.0)] * 3), min_size=3, max_size=3).map(Lattice),
    st.floats(2.0, 100.0).map(Lattice.cubic),
    st.builds(
        Lattice.from_parameters,
        *[st.sampled_from([2.0, 5.0, 7.123456789, 100.0])] * 3,
        *[st.sampled_from([3.0, 5.5, 60.0, 90.0, 90.001, 119.9, 174.0])] * 3,
    ),
)
_coordinate = st.one_of(
    st.floats(-3.0, 3.0),
    st.sampled_from([0.0, 1.0, -1.0, 1 / 3, 2 / 3, -1 / 3, 0.33333, -1e-17, -1e-12, 1 - 1e-12, 123.25]),
)
_kinds = st.sampled_from(
    ["Na", "O", "H", "D", "T", "U", "Na+", "O2-", "D+", "Fe2+", "Fe3+", "Fe2.5+", Species("Cl", 0), Species("Fe", 3, 5)]
)
_occupancies = st.lists(st.floats(1e-3, 1.0), min_size=1, max_size=4)


@st.composite
def _species(draw: st.DrawFn) -> dict[object, float]:
    """One kind of atom, or several and a vacancy that share the site."""
    shares = draw(st.one_of(st.just([1.0]), _occupancies))
    kinds = draw(st.lists(_kinds, min_size=len(shares), max_size=len(shares), unique_by=str))
    total = max(1.0, sum(shares))
    return {kind: share / total for kind, share in zip(kinds, shares, strict=True)}


@st.composite
def _structures(draw: st.DrawFn) -> Structure:
    """Up to six sites at different places in a cell that is not flat."""
    lattice = draw(_lattices)
    assume(np.isfinite(lattice.matrix).all() and min(lattice.abc) > 1.0)
    assume(lattice.volume > 1e-3 * np.prod(lattice.abc))
    if np.linalg.det(lattice.matrix) < 0:
        lattice = Lattice(-lattice.matrix)
    sites = draw(st.lists(st.tuples(_species(), st.tuples(*[_coordinate] * 3)), min_size=1, max_size=6))
    structure = Structure(lattice, [species for species, _ in sites], [coords for _, coords in sites])
    assume(len(structure) == 1 or structure.distance_matrix[np.triu_indices(len(structure), 1)].min() > 0.01)
    return structure


def assert_same(found: Structure, expected: Structure) -> None:
    """Lattice and positions agree to `PRECISION`, species and occupancies exactly, site by site."""
    lengths, angles = np.array(expected.lattice.abc), expected.lattice.angles
    np.testing.assert_allclose(found.lattice.abc, lengths, rtol=0, atol=PRECISION)
    arcs = np.radians(np.subtract(found.lattice.angles, angles)) * lengths.max()
    assert np.abs(arcs).max() < PRECISION
    assert len(found) == len(expected)
    shift = found.frac_coords - expected.frac_coords
    shift -= np.round(shift)
    assert np.linalg.norm(shift @ expected.lattice.matrix, axis=1).max() < PRECISION
    assert [_named(site) for site in found] == [_named(site) for site in expected]


def _named(site: object) -> dict[str, float]:
    """Occupancies by the names of the species; pymatgen prints and compares the isotopes of hydrogen as H."""
    return {kind.name if isinstance(kind, Element) else str(kind): share for kind, share in site.species.items()}


@settings(max_examples=300, deadline=None)
@given(structure=_structures())
def test_lattice_positions_species_occupancies_and_order_survive(structure: Structure) -> None:
    found = structure_from_cif(structure_to_cif(structure))
    assert_same(found, structure)
    assert (found.frac_coords >= 0).all()
    assert (found.frac_coords < 1).all()


@settings(max_examples=50, deadline=None)
@given(structure=_structures())
def test_writing_what_was_read_gives_the_same_crystal_again(structure: Structure) -> None:
    once = structure_from_cif(structure_to_cif(structure))
    assert_same(structure_from_cif(structure_to_cif(once)), once)


@settings(max_examples=50, deadline=None)
@given(structure=_structures())
def test_ase_and_pymatgen_read_the_same_atoms_from_the_text(structure: Structure) -> None:
    ordered = structure.copy()
    for site in range(len(ordered)):
        ordered[site] = max(structure[site].species.items(), key=lambda item: item[1])[0].symbol
    text = structure_to_cif(ordered)
    atoms = read_with_ase(io.StringIO(text), format="cif")
    assert atoms.get_chemical_symbols() == [site.specie.symbol for site in ordered]
    np.testing.assert_allclose(atoms.cell.cellpar()[:3], ordered.lattice.abc, atol=PRECISION)
    shift = atoms.get_scaled_positions() - ordered.frac_coords
    shift -= np.round(shift)
    assert np.linalg.norm(shift @ ordered.lattice.matrix, axis=1).max() < PRECISION
    theirs = CifParser.from_str(text, site_tolerance=1e-9, frac_tolerance=0.0).parse_structures(primitive=False)[0]
    assert theirs.composition == ordered.composition


# the conventional cells of zirconia, rutile and bismuth, with the numbers of their space groups
ZIRCONIA = Structure.from_spacegroup(
    "P2_1/c",
    Lattice.monoclinic(5.15, 5.21, 5.32, 99.2),
    ["Zr", "O", "O"],
    [[0.275, 0.040, 0.208], [0.070, 0.332, 0.345], [0.450, 0.757, 0.479]],
)
RUTILE = Structure.from_spacegroup(
    "P4_2/mnm", Lattice.tetragonal(4.59, 2.96), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
)
BISMUTH = Structure(Lattice.rhombohedral(4.75, 57.2), ["Bi", "Bi"], [[0.234] * 3, [-0.234] * 3])


@settings(max_examples=40, deadline=None)
@given(
    known=st.sampled_from([(ZIRCONIA, 14), (RUTILE, 136), (BISMUTH, 166)]),
    shears=st.lists(st.tuples(st.permutations(range(3)), st.integers(-2, 2)), max_size=4),
    origin=st.tuples(*[st.floats(-1.0, 1.0)] * 3),
)
def test_a_crystal_in_any_setting_keeps_its_space_group(
    known: tuple[Structure, int], shears: list[tuple[list[int], int]], origin: tuple[float, ...]
) -> None:
    structure, number = known
    setting = np.eye(3)
    for (target, source, _), times in shears:
        setting[target] += times * setting[source]
    matrix = setting @ structure.lattice.matrix
    other = Structure(Lattice(matrix), structure.species, (structure.frac_coords + origin) @ np.linalg.inv(setting))
    found = structure_from_cif(structure_to_cif(other))
    assert_same(found, other)
    cell = (found.lattice.matrix, found.frac_coords, found.atomic_numbers)
    assert spglib.get_symmetry_dataset(cell, symprec=1e-4).number == number


def test_oxygen_and_hydrogen_on_one_site_stay_two_kinds_of_atom() -> None:
    site = Structure(Lattice.cubic(4.0), [{"O": 0.5, "H": 0.25}], [[0.1, 0.2, 0.3]])
    assert_same(structure_from_cif(structure_to_cif(site)), site)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("_cell_length_a   4.0", "_cell_length_a   nan  _rest ", "no volume"),
        ("_cell_length_a   4", "_cell_length_a   0", "no volume"),
        ("_cell_length_a", "_cell_length_q", "the CIF has no _cell_length_a"),
        ("0.5000000000", "half", "could not convert string to float: 'half'"),
        ("0.5000000000", "inf", "no usable number"),
        ("Cs0  1", "Cs0  1  1", "incomplete table"),
        ("  Cs  Cs0", "  Xx  Cs0", "unknown element Xx"),
        ("1  'x, y, z'", "1  'x, y, z'\n  2  '-x, -y, -z'", "symmetry operations"),
        ("loop_\n _atom_site_type", "_atom_site_type", "has no _atom_site_fract_x"),
    ],
)
def test_a_broken_text_is_refused_with_a_reason(old: str, new: str, message: str) -> None:
    text = structure_to_cif(Structure(Lattice.cubic(4.0), ["Cs"], [[0.5, 0.25, 0.125]]))
    assert old in text
    with pytest.raises(ValueError, match=message):
        structure_from_cif(text.replace(old, new, 1))


@pytest.mark.parametrize("text", ["", "data_x\n", "data_x\nloop_\n_atom_site_type_symbol\n", "no CIF at all"])
def test_a_text_without_a_crystal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="CIF"):
        structure_from_cif(text)


def test_a_file_that_leaves_atoms_to_symmetry_is_refused() -> None:
    with pytest.raises(ValueError, match="symmetry operations"):
        structure_from_cif(str(CifWriter(RUTILE, symprec=0.01)))
