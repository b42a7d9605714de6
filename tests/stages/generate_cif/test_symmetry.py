from typing import Any

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer
from pymatgen.symmetry.groups import SpaceGroup

from stages.generate_cif.crystals import describe_structure
from stages.generate_cif.symmetry import Symmetry
from stages.shared.structures import structure_from_cif
from tests.stages.raw_records import read_sample_materials_project

TOLERANCE = 0.01


def test_every_space_group_has_the_crystal_system_of_the_international_tables() -> None:
    for number in range(1, 231):
        assert Symmetry(number, "", ()).crystal_system == SpaceGroup.from_int_number(number).crystal_system


def test_the_space_groups_of_the_sample_are_those_its_makers_give(sample: Any) -> None:
    crystals, _ = sample
    for document in read_sample_materials_project():
        symmetry, found = document["symmetry"], crystals[document["material_id"]]
        assert found["space_group_number"] == symmetry["number"]
        assert found["space_group_symbol"] == symmetry["symbol"]
        assert found["crystal_system"] == symmetry["crystal_system"].lower()


def _rewritten(structure: Structure, random: np.random.RandomState) -> Structure:
    """The same crystal: another supercell, orientation, origin and order of atoms."""
    supercell = np.eye(3, dtype=int) + np.triu(random.randint(-1, 2, (3, 3)), 1)
    supercell[random.randint(3)] *= 2
    other = structure * supercell
    rotation, _ = np.linalg.qr(random.standard_normal((3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))
    order = random.permutation(len(other))
    coords = (other.frac_coords + random.rand(3))[order]
    return Structure(other.lattice.matrix @ rotation, [other[i].species for i in order], coords)


def test_the_fingerprint_does_not_depend_on_how_a_crystal_is_written_down(sample: Any) -> None:
    crystals, _ = sample
    random = np.random.RandomState(0)
    for material_id in sorted(crystals)[::17]:
        row = crystals[material_id]
        structure = structure_from_cif(row["cif"])
        for other in (
            _rewritten(structure, random),
            structure.get_primitive_structure(),
            SpacegroupAnalyzer(structure, TOLERANCE).get_conventional_standard_structure(),
        ):
            assert describe_structure(other, TOLERANCE)["fingerprint"] == row["fingerprint"], material_id


def _fingerprint(group: str, lattice: Lattice, species: list[Any], coords: list[list[float]]) -> str:
    structure = Structure.from_spacegroup(group, lattice, species, coords)
    return describe_structure(structure, TOLERANCE)["fingerprint"]


def test_prototypes_of_one_composition_and_other_compositions_have_other_fingerprints() -> None:
    origin, body, quarter = [0, 0, 0], [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]
    cube = Lattice.cubic(5.5)
    prints = [
        _fingerprint("Fm-3m", cube, ["Cs", "Cl"], [origin, body]),
        _fingerprint("Pm-3m", Lattice.cubic(4.1), ["Cs", "Cl"], [origin, body]),
        _fingerprint("F-43m", cube, ["Cs", "Cl"], [origin, quarter]),
        _fingerprint("Fm-3m", cube, ["Rb", "Cl"], [origin, body]),
        _fingerprint("Fm-3m", cube, ["Cs", "Cl", "Cl"], [origin, body, quarter]),
        _fingerprint("Fm-3m", cube, [{"Cs": 0.5, "Rb": 0.5}, "Cl"], [origin, body]),
    ]
    assert len(set(prints)) == len(prints)


@pytest.mark.parametrize("noise", [1e-5, 1e-3])
def test_rounding_of_coordinates_does_not_change_the_fingerprint(noise: float) -> None:
    structure = Structure.from_spacegroup(
        "P6_3mc", Lattice.hexagonal(3.25, 5.2), ["Zn", "O"], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.382]]
    )
    shaken = structure.copy().perturb(noise)
    assert (
        describe_structure(shaken, TOLERANCE)["fingerprint"] == describe_structure(structure, TOLERANCE)["fingerprint"]
    )
