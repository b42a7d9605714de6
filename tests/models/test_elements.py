import math
import warnings

import numpy as np
import pytest
from pymatgen.analysis.molecule_structure_comparator import CovalentRadius
from pymatgen.core import Element

from models.graph.element_table import BLOCKS, PROPERTIES, element_properties
from models.graph.elements import DESCRIPTOR_PROPERTIES, element_classes, element_descriptors

CLASS_SIZES = (18, 8, 10, 10, 12, 10, 10, 4, 10)
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
        ("molar_volume", "molar_volume", 0.005),
    ],
)
def test_properties_are_those_of_pymatgen(elements: list[Element], name: str, attribute: str, tolerance: float) -> None:
    ours = element_properties()[1][:, PROPERTIES.index(name)]
    theirs = np.array([_value(element, attribute) for element in elements])
    if name == "ionization_energy":
        theirs[[108, 109]] = math.nan  # Mt and Ds, left out as the table says
    np.testing.assert_allclose(ours, theirs, atol=tolerance * 1.01)


def test_covalent_radii_are_those_of_pymatgen(elements: list[Element]) -> None:
    ours = element_properties()[1][:, PROPERTIES.index("covalent_radius")]
    theirs = [CovalentRadius.radius.get(element.symbol, math.nan) for element in elements]
    np.testing.assert_allclose(ours, theirs, atol=1e-9)


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
        shells = [values[element.Z - 1, PROPERTIES.index(f"{shell}_electrons")] for shell in "spdf"]
        assert shells == list(outer.values()), element.symbol


def test_descriptors_are_complete_and_standardised() -> None:
    descriptors = element_descriptors().double()
    assert descriptors.shape == (119, 38)
    assert not descriptors.isnan().any()
    assert (descriptors[0] == 0).all()
    properties = descriptors[1:, -len(DESCRIPTOR_PROPERTIES) :].numpy()
    np.testing.assert_allclose(properties.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(properties.std(axis=0), 1, atol=1e-6)


def test_no_two_elements_look_alike() -> None:
    descriptors = element_descriptors()[1:]
    assert len(descriptors.unique(dim=0)) == 118


def test_a_missing_value_comes_from_the_nearest_relative() -> None:
    column = 29 + DESCRIPTOR_PROPERTIES.index("electronegativity")
    descriptors = element_descriptors()
    assert descriptors[10, column] == descriptors[36, column]  # neon from krypton, the nearest noble gas with a value


def test_each_element_has_one_class_of_each_of_nine_properties() -> None:
    classes = element_classes()
    assert classes.shape == (119, 92)
    assert (classes[0] == 0).all()
    for part in classes[1:].split(CLASS_SIZES, dim=1):
        assert ((part == 0) | (part == 1)).all()
        assert (part.sum(dim=1) == 1).all()


def test_classes_agree_with_bins_of_the_properties_of_pymatgen(elements: list[Element]) -> None:
    parts = [part.argmax(dim=1).tolist() for part in element_classes()[1:].split(CLASS_SIZES, dim=1)]
    group, period, electronegativity, radius, _, ionization, affinity, block, volume = parts
    for element in elements:
        z = element.Z - 1
        assert (group[z] + 1, period[z] + 1, BLOCKS[block[z]]) == (element.group, element.row, element.block)
        cordero = CovalentRadius.radius.get(element.symbol, math.nan)
        first_ionization = math.nan if element.symbol in ("Mt", "Ds") else _value(element, "ionization_energy")
        for found, value, low, high in (
            (electronegativity[z], _value(element, "X"), 0.5, 4.0),
            (radius[z], 100 * cordero, 25, 250),
            (ionization[z], math.log(first_ionization), 1.3, 3.3),
            (affinity[z], _value(element, "electron_affinity"), -3, 3.7),
            (volume[z], math.log(_value(element, "molar_volume")), 1.5, 4.3),
        ):
            passed = sum(value > low + k * (high - low) / 10 - 1e-9 for k in range(1, 10))  # edges between the bins
            assert math.isnan(value) or found == passed, element


@pytest.mark.parametrize(
    ("symbol", "electrons"),
    [("H", 1), ("He", 2), ("Ca", 2), ("C", 4), ("Ga", 3), ("Ne", 8), ("Zn", 12), ("Nd", 6), ("Er", 12), ("Lu", 3)],
)
def test_valence_electrons_are_those_of_chemistry(symbol: str, electrons: int) -> None:
    valence = element_classes().split(CLASS_SIZES, dim=1)[4]
    assert valence[Element(symbol).Z].argmax() == electrons - 1


def test_classes_tell_all_elements_apart_but_two_groups_of_neighbours() -> None:
    classes = element_classes()[1:]
    assert len(classes.unique(dim=0)) == 118 - 2 - 1
    dysprosium, holmium, erbium = classes[65:68]
    assert dysprosium.equal(holmium)
    assert holmium.equal(erbium)
    assert classes[99].equal(classes[100])  # Fm and Md


def _value(element: Element, attribute: str) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = getattr(element, attribute)
        except KeyError:  # how pymatgen says that it has no electron affinity
            return math.nan
    return math.nan if value is None else float(value)
