"""The library of prototypes, searched through its index, against a search through all of it."""

import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from stages.describe.prototypes import PrototypeMatcher, anonymous_signature, reduced_cell

pytestmark = [
    pytest.mark.filterwarnings(f"ignore:{message}")
    for message in ("No oxidation states specified", "CrystalNN. cannot locate an appropriate radius")
]

CRYSTALS = {
    "rutile": Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.59, 2.96), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
    ),
    "perovskite": Structure.from_spacegroup(
        "Pm-3m", Lattice.cubic(3.9), ["Sr", "Ti", "O"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
    ),
    "supercell of zincblende": Structure.from_spacegroup(
        "F-43m", Lattice.cubic(5.4), ["Zn", "S"], [[0, 0, 0], [0.25, 0.25, 0.25]]
    )
    * (2, 1, 1),
}


@pytest.fixture(scope="module")
def matcher() -> PrototypeMatcher:
    return PrototypeMatcher()


@pytest.mark.parametrize("name", CRYSTALS)
def test_prototypes_of_another_signature_never_match(matcher: PrototypeMatcher, name: str) -> None:
    crystal = reduced_cell(CRYSTALS[name])
    library = [reduced_cell(prototype) for prototype in matcher.mineral_db["structure"]]
    compare = StructureMatcher()
    matching = [prototype for prototype in library if compare.fit_anonymous(prototype, crystal)]
    assert matching
    assert {anonymous_signature(prototype) for prototype in matching} == {anonymous_signature(crystal)}


@pytest.mark.parametrize(
    ("name", "mineral"),
    [
        ("rutile", "Rutile"),
        ("perovskite", "(Cubic) Perovskite"),
        ("supercell of zincblende", "Zincblende, Sphalerite"),
    ],
)
def test_textbook_structures_are_named(matcher: PrototypeMatcher, name: str, mineral: str) -> None:
    assert matcher.get_best_mineral_name(CRYSTALS[name])["type"] == mineral
