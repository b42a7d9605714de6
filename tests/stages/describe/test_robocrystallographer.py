"""The texts against the package itself, called as its documentation says, and against texts the sample came with."""

import gzip
import itertools
import json
import warnings

import pytest
from pymatgen.core import Lattice, Structure
from robocrys import StructureCondenser, StructureDescriber

from stages.describe.robocrystallographer import (
    DescriptionError,
    Robocrystallographer,
    in_fixed_order,
    with_oxidation_states,
)
from stages.shared.structures import structure_from_cif, structure_to_cif
from tests.stages.raw_records import SAMPLE

ROCKSALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
TWO_MOLECULES = Structure(
    Lattice.orthorhombic(6.0, 7.0, 8.0),
    ["O", "H", "H", "H", "Cl"],
    [[0, 0, 0], [0.16, 0.02, 0], [-0.04, 0.13, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0.66]],
)
LAYERS = Structure.from_spacegroup(
    "P6_3/mmc", Lattice.hexagonal(3.16, 12.3), ["Mo", "S"], [[1 / 3, 2 / 3, 0.25], [1 / 3, 2 / 3, 0.621]]
)
CHAIN = Structure(Lattice.orthorhombic(6.0, 7.0, 2.8), ["Cu", "O", "F"], [[0, 0, 0], [0.25, 0.12, 0.5], [0.9, 0.22, 0]])


@pytest.fixture(scope="module")
def ours() -> Robocrystallographer:
    return Robocrystallographer()


@pytest.fixture(scope="module")
def documents() -> list[dict]:
    """Every thirtieth Materials Project document of the sample; the package made their descriptions."""
    with gzip.open(SAMPLE / "materials_project.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in itertools.islice(lines, 0, None, 30)]


def text_of_the_package(structure: Structure) -> str:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Molecule naming requires openbabel")
        charged = structure.copy().add_oxidation_state_by_guess(max_sites=-50)
        condensed = StructureCondenser().condense_structure(charged)
        return in_fixed_order(StructureDescriber(describe_symmetry_labels=False).describe(condensed))


@pytest.mark.parametrize(
    ("structure", "first_words"),
    [
        pytest.param(ROCKSALT, "NaCl is Halite, Rock Salt structured", id="a prototype"),
        pytest.param(TWO_MOLECULES, "H2OHCl is Indium-like structured", id="near a prototype, two molecules"),
        pytest.param(CHAIN, "OFCu crystallizes", id="no prototype"),
    ],
)
def test_the_text_is_that_of_the_package(ours: Robocrystallographer, structure: Structure, first_words: str) -> None:
    text = ours.describe(structure)
    assert text.startswith(first_words)
    assert text == text_of_the_package(structure)


def test_a_cif_gives_the_description_the_sample_came_with(ours: Robocrystallographer, documents: list[dict]) -> None:
    for document in documents:
        structure = structure_from_cif(structure_to_cif(Structure.from_dict(document["structure"])))
        assert ours.describe(structure) == in_fixed_order(document["description"])


def test_the_text_does_not_depend_on_the_crystals_before(ours: Robocrystallographer, documents: list[dict]) -> None:
    twin = ROCKSALT.copy().apply_strain(1e-6)  # equal within pymatgen's tolerance
    crystals = [ROCKSALT, twin, LAYERS, *(Structure.from_dict(document["structure"]) for document in documents[:2])]
    forward = [ours.describe(crystal) for crystal in crystals]
    backward = [ours.describe(crystal) for crystal in reversed(crystals)]
    assert forward == backward[::-1]


def test_a_structure_is_left_as_it_was(ours: Robocrystallographer) -> None:
    structure = LAYERS.copy()
    ours.describe(structure)
    assert structure == LAYERS
    assert [site.species_string for site in structure] == [site.species_string for site in LAYERS]


@pytest.mark.parametrize(
    ("words", "rest"),
    [
        (("corner", "edge", "face"), "-sharing TiO6 octahedra"),
        (("(0, 0, 1)", "(0, 1, 0)", "(1, 0, -1)"), " directions."),
        (("(np.int64(0), np.int64(1))", "(np.int64(1), np.int64(-1))"), " directions."),
    ],
)
def test_any_order_of_a_listing_becomes_the_same(words: tuple[str, ...], rest: str) -> None:
    lead = "a mixture of distorted " if "sharing" in rest else "sheets oriented in the "
    *others, last = words
    expected = f"{lead}{' and '.join(words) if len(words) == 2 else ', '.join(others) + ', and ' + last}{rest}"
    for order in itertools.permutations(words):
        text = expected.translate({})
        for position, word in enumerate(words):
            text = text.replace(word, f"<{position}>")
        for position, word in enumerate(order):
            text = text.replace(f"<{position}>", word)
        assert in_fixed_order(text) == expected


def test_other_words_keep_their_order() -> None:
    text = (
        "share corners with four FeO6 octahedra, edges with six, and corners with two. It is layered (2, 1) and (1, 2)."
    )
    assert in_fixed_order(text) == text


@pytest.mark.parametrize(
    ("structure", "reason"),
    [
        pytest.param(Structure(Lattice.cubic(4), [{"Na": 0.5, "K": 0.5}], [[0, 0, 0]]), "ordered", id="shared site"),
        pytest.param(Structure(Lattice.cubic(4), [{"Na": 0.5}], [[0, 0, 0]]), "ordered", id="half-empty site"),
        pytest.param(
            Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0, 0, 1e-4]]),
            r"ValueError: .*overlapping atoms",
            id="overlapping atoms",
        ),
        pytest.param(Structure(Lattice.cubic(4), ["Og"], [[0, 0, 0]]), "TypeError: .*superheavy", id="no radius"),
    ],
)
def test_what_cannot_be_described_says_why(ours: Robocrystallographer, structure: Structure, reason: str) -> None:
    with pytest.raises(DescriptionError, match=reason):
        ours.describe(structure)


def test_a_formula_too_large_for_a_charge_guess_gets_no_charges() -> None:
    small = Structure(Lattice.cubic(9), ["Na"] * 25 + ["Cl"] * 25, [[i / 50, 0, 0] for i in range(50)])
    large = Structure(Lattice.cubic(9), ["Na"] * 25 + ["Cl"] * 26, [[i / 51, 0, 0] for i in range(51)])
    assert {site.species_string for site in with_oxidation_states(small)} == {"Na+", "Cl-"}
    assert {site.species_string for site in with_oxidation_states(large)} == {"Na", "Cl"}
