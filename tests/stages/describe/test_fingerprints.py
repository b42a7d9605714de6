"""Fingerprints and bonds against the packages they come from, and how often they are worked out."""

from collections import Counter

import numpy as np
import pytest
import robocrys.condense.site
from pymatgen.analysis.local_env import CrystalNN, VoronoiNN
from pymatgen.core import Lattice, Structure
from robocrys.condense.fingerprint import get_site_fingerprints, get_structure_fingerprint

from stages.describe.bonds import BondFinder
from stages.describe.fingerprints import Fingerprints
from stages.describe.robocrystallographer import Robocrystallographer, with_oxidation_states

RUTILE = with_oxidation_states(
    Structure.from_spacegroup("P4_2/mnm", Lattice.tetragonal(4.594, 2.959), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]])
)
SCATTERED = with_oxidation_states(
    Structure(
        Lattice.from_parameters(4.1, 5.3, 6.2, 81, 97, 104),
        ["Ca", "O", "F", "F", "Mg"],
        [[0.02, 0.11, 0.07], [0.45, 0.41, 0.13], [0.21, 0.77, 0.52], [0.61, 0.05, 0.38], [0.71, 0.35, 0.78]],
    )
)


@pytest.mark.parametrize("structure", [RUTILE, SCATTERED], ids=["rutile", "no symmetry"])
def test_fingerprints_are_those_of_the_package(structure: Structure) -> None:
    fingerprints = Fingerprints(BondFinder())
    for _ in range(2):  # worked out, and remembered
        assert fingerprints.of_sites(structure) == get_site_fingerprints(structure)
        np.testing.assert_array_equal(fingerprints.of_structure(structure), get_structure_fingerprint(structure))


@pytest.mark.parametrize("structure", [RUTILE, SCATTERED], ids=["rutile", "no symmetry"])
def test_bonds_are_those_of_pymatgen_before_and_after_fingerprints(structure: Structure) -> None:
    expected = CrystalNN().get_bonded_structure(structure)
    finder = BondFinder()
    assert finder.get_bonded_structure(structure) == expected
    Fingerprints(finder).of_sites(structure)
    assert [finder.get_nn_info(structure, n) for n in range(len(structure))] == CrystalNN().get_all_nn_info(structure)
    assert finder.get_bonded_structure(structure) == expected


def test_a_crystal_that_changed_has_new_bonds() -> None:
    finder, structure = BondFinder(), SCATTERED.copy()
    finder.get_bonded_structure(structure)
    structure.replace(4, "Mg2+", [0.55, 0.62, 0.4])
    assert finder.get_bonded_structure(structure) == CrystalNN().get_bonded_structure(structure)


def test_each_site_of_a_description_is_tessellated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: Counter[int] = Counter()
    original = VoronoiNN.get_voronoi_polyhedra

    def counted(self: VoronoiNN, structure: Structure, n: int) -> dict:
        counts[n] += 1
        return original(self, structure, n)

    monkeypatch.setattr(VoronoiNN, "get_voronoi_polyhedra", counted)
    Robocrystallographer().describe(RUTILE)
    assert counts == Counter(range(len(RUTILE)))


def test_robocrystallographer_has_its_own_functions_back_afterwards() -> None:
    original = robocrys.condense.site.get_site_fingerprints
    with Fingerprints(BondFinder()).in_use():
        assert robocrys.condense.site.get_site_fingerprints is not original
    assert robocrys.condense.site.get_site_fingerprints is original
