import math
import warnings

import numpy as np
import pytest
from pymatgen.core import Element

from models.graph.elements import BLOCKS, PROPERTIES, element_descriptors, element_properties

NOBLE_GASES = (0, 2, 10, 18, 36, 54, 86)


@pytest.fixture(scope="module")
def elements() -> list[Element]:
    return [Element.from_Z(z) for z in range(1, 119)]


def test_position_in_the_periodic_table_is_that_of_pymatgen(elements: list[Element]) -> None:
    position, _ = element_properties()
    assert [tuple(row) for row in position] == [(e.group, e.row, BLOCKS.index(e.block)) for e in elements]


@pytest.mark.parametrize(
    ("name", "attribute", "tolerance"),
    [
        ("electronegativity", "X", 0.005),
        ("atomic_radius", "atomic_radius", 0.005),
        ("ionization_energy", "ionization_energy", 0.0005),
        ("electron_affinity", "electron_affinity", 0.0005),
        ("mendeleev_number", "mendeleev_no", 0.5),
    ],
)
def test_properties_are_those_of_pymatgen(elements: list[Element], name: str, attribute: str, tolerance: float) -> None:
    ours = element_properties()[1][:, PROPERTIES.index(name)]
    theirs = np.array([_value(element, attribute) for element in elements])
    if name == "ionization_energy":
        theirs[[108, 109]] = math.nan  # Mt and Ds, left out as the table says
    np.testing.assert_allclose(ours, theirs, atol=tolerance * 1.01)


def test_electrons_outside_the_noble_gas_core_add_up(elements: list[Element]) -> None:
    electrons = element_properties()[1][:, [PROPERTIES.index(f"{shell}_electrons") for shell in "spdf"]].sum(axis=1)
    known = ~np.isnan(electrons)
    core = [max(z for z in NOBLE_GASES if z < element.Z) for element in elements]
    expected = np.array([element.Z for element in elements]) - core
    assert known.sum() >= 100
    np.testing.assert_array_equal(electrons[known], expected[known])


def test_valence_shells_agree_with_the_ground_state_of_pymatgen(elements: list[Element]) -> None:
    values = element_properties()[1]
    for element in elements[:103]:
        outer: dict[str, int] = dict.fromkeys("spdf", 0)
        core = max(z for z in NOBLE_GASES if z < element.Z)
        filled = {shell[:2] for shell in Element.from_Z(core).full_electronic_structure} if core else set()
        for n, shell, count in element.full_electronic_structure:
            outer[shell] += 0 if (n, shell) in filled else count
        assert values[element.Z - 1, -4:].tolist() == list(outer.values()), element.symbol


def test_descriptors_are_complete_and_standardised() -> None:
    descriptors = element_descriptors().double()
    assert descriptors.shape == (119, 38)
    assert not descriptors.isnan().any()
    assert (descriptors[0] == 0).all()
    properties = descriptors[1:, -len(PROPERTIES) :].numpy()
    np.testing.assert_allclose(properties.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(properties.std(axis=0), 1, atol=1e-6)


def test_no_two_elements_look_alike() -> None:
    descriptors = element_descriptors()[1:]
    assert len(descriptors.unique(dim=0)) == 118


def test_a_missing_value_comes_from_the_nearest_relative() -> None:
    column = 29 + PROPERTIES.index("electronegativity")
    descriptors = element_descriptors()
    assert descriptors[10, column] == descriptors[36, column]  # neon from krypton, the nearest noble gas with a value


def _value(element: Element, attribute: str) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = getattr(element, attribute)
        except KeyError:  # how pymatgen says that it has no electron affinity
            return math.nan
    return math.nan if value is None else float(value)
