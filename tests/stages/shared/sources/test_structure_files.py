"""CIF, POSCAR and extended XYZ against pymatgen and ASE."""

import io
from collections.abc import Callable

import ase.io
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, PeriodicSite, Structure
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.io.cif import CifWriter
from pymatgen.io.vasp import Poscar

from stages.shared.sources.record import BadRecord
from stages.shared.sources.structure_files import LONGEST_TEXT, read_cif, read_extxyz, read_poscar
from tests.stages.raw_records import read_sample_materials_project

SAMPLE = [Structure.from_dict(one["structure"]) for one in read_sample_materials_project()[:25]]
SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def _assert_same_atoms(found: Structure, expected: Structure, tolerance: float = 1e-5) -> None:
    """Same cell up to its orientation, same species at the same fractional coordinates."""
    np.testing.assert_allclose(found.lattice.parameters, expected.lattice.parameters, atol=1e-4)
    assert [site.species_string for site in found] == [site.species_string for site in expected]
    shift = found.frac_coords - expected.frac_coords
    assert np.abs(shift - np.round(shift)).max() < tolerance


def _species_and_place(site: PeriodicSite) -> tuple[str, list[float]]:
    return site.species_string, (np.round(site.frac_coords, 3) % 1.0).tolist()


def _extxyz(structure: Structure) -> str:
    text = io.StringIO()
    ase.io.write(text, AseAtomsAdaptor.get_atoms(structure, msonable=False), format="extxyz")
    return text.getvalue()


@pytest.mark.parametrize("structure", SAMPLE, ids=lambda one: one.formula.replace(" ", ""))
def test_what_pymatgen_and_ase_write_is_read_back(structure: Structure) -> None:
    _assert_same_atoms(read_extxyz(_extxyz(structure)), structure)
    _assert_same_atoms(read_poscar(Poscar(structure).get_str(direct=False)), structure)
    by_place = [sorted(one, key=_species_and_place) for one in (read_cif(str(CifWriter(structure))), structure)]
    _assert_same_atoms(*map(Structure.from_sites, by_place), tolerance=1e-4)


def test_symmetry_operations_fill_the_cell() -> None:
    text = str(CifWriter(SALT, symprec=0.01))
    assert text.count("\n  Na") == 1  # one line for each orbit
    found = read_cif(text)
    assert found.composition == SALT.composition
    assert found.matches(SALT)


def test_a_mixed_site_keeps_its_shares_and_loses_its_charges() -> None:
    mixed = Structure(Lattice.cubic(4), [{"Fe2+": 0.25, "Fe3+": 0.25, "Ni2+": 0.5}, "O2-"], [[0] * 3, [0.5] * 3])
    found = read_cif(str(CifWriter(mixed)))
    shares = [dict(site.species.get_el_amt_dict()) for site in found]
    assert {"O": 1.0} in shares
    assert {"Fe": 0.5, "Ni": 0.5} in shares
    assert not any(hasattr(species, "oxi_state") and species.oxi_state for site in found for species in site.species)


_words = st.sampled_from(["Direct", "direct", "Cartesian", "cart", "K-space"])


@settings(max_examples=60, deadline=None)
@given(
    structure=st.sampled_from(SAMPLE),
    scale=st.sampled_from(["1.0", "2.5", "-{volume}"]),
    coordinates=_words,
    dynamics=st.booleans(),
    potcar=st.sampled_from(["", "_pv/f474ac0d"]),
)
def test_every_way_to_write_a_poscar_is_read_as_pymatgen_reads_it(
    structure: Structure, scale: str, coordinates: str, dynamics: bool, potcar: str
) -> None:
    poscar = Poscar(structure.get_sorted_structure())
    positions = poscar.structure.frac_coords if coordinates[0] in "dD" else poscar.structure.cart_coords
    lines = ["a comment", scale.format(volume=80.0)]
    lines += [" ".join(map(str, vector)) for vector in structure.lattice.matrix]
    lines += [" ".join(symbol + potcar for symbol in poscar.site_symbols), " ".join(map(str, poscar.natoms))]
    lines += ["Selective dynamics"] * dynamics + [coordinates]
    lines += [" ".join(map(str, position)) + " T F T" * dynamics for position in positions]
    text = "\n".join(lines)
    expected = Poscar.from_str(text).structure
    if scale.startswith("-") and coordinates[0] in "cCkK":
        # the scale that gives the volume applies to positions too, which pymatgen multiplies by the volume itself
        factor = (80.0 / structure.volume) ** (1 / 3)
        expected = Structure(
            structure.lattice.matrix * factor, expected.species, positions * factor, coords_are_cartesian=True
        )
    _assert_same_atoms(read_poscar(text), expected)


def test_a_poscar_may_name_its_elements_behind_the_positions() -> None:
    text = "c\n1\n4 0 0\n0 4 0\n0 0 4\n1 1\nDirect\n0 0 0 Cs\n0.5 0.5 0.5 Cl\n"
    assert read_poscar(text).reduced_formula == "CsCl"
    with pytest.raises(BadRecord, match="names no elements"):
        read_poscar(text.replace(" Cs", "").replace(" Cl", ""))


def test_three_scales_stretch_the_three_axes() -> None:
    found = read_poscar("c\n1 2 3\n4 0 0\n0 4 0\n0 0 4\nCs\n1\nCartesian\n2 2 2\n")
    assert found.lattice.abc == (4, 8, 12)
    np.testing.assert_allclose(found.frac_coords, [[0.5, 0.5, 0.5]])


def test_further_columns_of_an_xyz_file_do_not_matter() -> None:
    text = (
        '2\npbc="T T T" Lattice="4 0 0 0 5 0 0 0 6" energy=-1.5 '
        "Properties=tag:I:1:Z:I:1:forces:R:3:pos:R:3 note='a b'\n0 55 9 9 9 0 0 0\n1 17 9 9 9 2 2.5 3\n"
    )
    found = read_extxyz(text)
    assert found.formula == "Cs1 Cl1"
    np.testing.assert_allclose(found[1].frac_coords, [0.5, 0.5, 0.5])


@pytest.mark.parametrize(
    ("read", "text", "reason"),
    [
        (read_cif, "", "cannot be read"),
        (read_cif, "data_x\n_cell_length_a 3\n", "cannot be read"),
        (read_cif, str(CifWriter(SALT)) + str(CifWriter(SALT)).replace("data_NaCl", "data_other"), "2 structures"),
        (read_cif, "#" * (LONGEST_TEXT + 1), "characters"),
        (read_poscar, "", "lattice"),
        (read_poscar, "c\n0\n4 0 0\n0 4 0\n0 0 4\nCs\n1\nDirect\n0 0 0\n", "scale"),
        (read_poscar, "c\n1\n4 0 0\n0 4 0\n0 0 4\nCs\n999999999\nDirect\n0 0 0\n", "1 of 999999999 positions"),
        (read_poscar, "c\n1\n4 0 0\n0 4 0\n0 0 4\nXx\n1\nDirect\n0 0 0\n", "unknown element 'Xx'"),
        (read_poscar, "c\n1\n4 0 0\n0 4 0\n0 0 4\nCs Cl\n1\nDirect\n0 0 0\n", "2 elements and 1 numbers"),
        (read_extxyz, "1\nno lattice\nCs 0 0 0\n", "no Lattice"),
        (read_extxyz, '1\nLattice="4 0 0 0 4 0 0 0 4" pbc="T T F"\nCs 0 0 0\n', "not periodic"),
        (read_extxyz, '2\nLattice="4 0 0 0 4 0 0 0 4"\nCs 0 0 0\n', "has 1 atoms"),
        (read_extxyz, '1\nLattice="4 0 0 0 4 0 0 0 4" Properties=a:R:3\nCs 0 0 0\n', "do not name"),
        (read_extxyz, '1\nLattice="4 0 0 0 4 0 0 0 4"\n999 0 0 0\n', "unknown atomic number"),
    ],
)
def test_what_cannot_be_read_is_said(read: Callable[[str], Structure], text: str, reason: str) -> None:
    with pytest.raises(BadRecord, match=reason):
        read(text)
