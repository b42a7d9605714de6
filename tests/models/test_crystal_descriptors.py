"""Descriptors: the same for the same crystal, and what tables and geometry say."""

import dataclasses
import math

import pytest
import torch
from pymatgen.core import Composition, Element
from torch import Tensor

from models.crystal_descriptors import crystal_descriptors, effective_neighbors
from models.graph.batch import CrystalBatch
from models.graph.element_table import PROPERTIES, element_properties
from models.layers import segment_sum
from tests.models.crystals import (
    Material,
    crystal,
    isolated_atom,
    random_rotation,
    supercell,
    three_crystals,
    triclinic,
)

FCC = 2.82 * torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]], dtype=torch.float64)
ROCKSALT = Material([11, 17], torch.tensor([[0.0] * 3, [0.5] * 3], dtype=torch.float64), FCC)
DIAMOND = Material([6, 6], torch.tensor([[0.0] * 3, [0.25] * 3], dtype=torch.float64), FCC / 1.58)
N_ELEMENT_FEATURES = len(PROPERTIES) + 2
COORDINATION = 4 * N_ELEMENT_FEATURES  # column of the mean coordination number


def describe(material: Material) -> Tensor:
    return crystal_descriptors(crystal(*material))[0]


@pytest.mark.parametrize("seed", range(3))
def test_a_supercell_is_the_same_crystal(seed: int) -> None:
    material = triclinic(seed)
    torch.testing.assert_close(describe(supercell(material, (2, 1, 2))), describe(material))


@pytest.mark.parametrize("seed", range(3))
def test_rotation_order_of_atoms_and_choice_of_cell_do_not_matter(seed: int) -> None:
    material = triclinic(seed)
    shear = torch.tensor([[1.0, 0, 0], [1, 1, 0], [0, -1, 1]], dtype=torch.float64)
    order = torch.tensor([2, 0, 3, 1])
    other = Material(
        [material.atomic_numbers[place] for place in order],
        (material.frac_coords @ torch.linalg.inv(shear))[order],
        shear @ material.lattice @ random_rotation(seed),
    )
    torch.testing.assert_close(describe(other), describe(material))


def test_the_rest_of_the_batch_does_not_matter() -> None:
    batch = three_crystals()
    alone = torch.cat([crystal_descriptors(part) for part in _split(batch)])
    torch.testing.assert_close(crystal_descriptors(batch), alone)


def _split(batch: CrystalBatch) -> list[CrystalBatch]:
    parts = []
    for place in range(batch.n_crystals):
        atoms = torch.nonzero(batch.batch == place)[:, 0]
        edges = batch.batch[batch.edge_source] == place
        parts.append(
            CrystalBatch(
                batch.atomic_numbers[atoms],
                batch.frac_coords[atoms],
                batch.lattice[place : place + 1],
                torch.zeros(len(atoms), dtype=torch.int64),
                batch.edge_source[edges] - atoms[0],
                batch.edge_target[edges] - atoms[0],
                batch.edge_image[edges],
            )
        )
    return parts


@pytest.mark.parametrize(("material", "coordination"), [(ROCKSALT, 6), (DIAMOND, 4)])
def test_the_coordination_number_of_a_simple_structure_is_that_of_textbooks(
    material: Material, coordination: int
) -> None:
    found = describe(material)[COORDINATION : COORDINATION + 3]
    assert found[0].item() == pytest.approx(coordination, abs=0.05)
    bond = crystal(*material).edge_vector().norm(dim=1).min().item()
    assert found[1].item() == pytest.approx(1 / bond, rel=0.01)


def test_mean_electronegativity_is_that_of_pymatgen() -> None:
    electronegativity = 2 + PROPERTIES.index("electronegativity")
    table = torch.from_numpy(element_properties()[1])[:, 0]
    known = table[~table.isnan()]
    mean = describe(ROCKSALT)[electronegativity] - describe(DIAMOND)[electronegativity]
    expected = Composition("NaCl").average_electroneg - Element("C").X
    # columns have standard deviation 1 over the elements; those without a value are filled in
    assert mean.item() == pytest.approx(expected / known.std().item(), rel=0.1)


def test_minimum_and_maximum_are_those_of_the_elements() -> None:
    salt, sodium, chlorine = (
        describe(ROCKSALT._replace(atomic_numbers=numbers)) for numbers in ([11, 17], [11, 11], [17, 17])
    )
    pair = torch.stack([sodium, chlorine])[:, :N_ELEMENT_FEATURES]
    torch.testing.assert_close(salt[2 * N_ELEMENT_FEATURES : 3 * N_ELEMENT_FEATURES], pair.amax(0))
    torch.testing.assert_close(salt[3 * N_ELEMENT_FEATURES : 4 * N_ELEMENT_FEATURES], pair.amin(0))
    torch.testing.assert_close(salt[N_ELEMENT_FEATURES : 2 * N_ELEMENT_FEATURES], (pair[0] - pair[1]).abs() / 2)


def test_equal_neighbours_count_one_each() -> None:
    source = torch.tensor([0, 0, 0, 1])
    weight = effective_neighbors(torch.tensor([2.0, 2.0, 2.0, 5.0], dtype=torch.float64), source, 2)
    torch.testing.assert_close(segment_sum(weight, source, 2), torch.tensor([3.0, 1.0], dtype=torch.float64))


def test_two_unequal_neighbours_follow_the_formula() -> None:
    near, far = 2.0, 2.2
    share = math.exp(1 - (far / near) ** 6)
    mean = (near + far * share) / (1 + share)
    weight = effective_neighbors(torch.tensor([near, far], dtype=torch.float64), torch.tensor([0, 0]), 1)
    assert weight.tolist() == pytest.approx([math.exp(1 - (d / mean) ** 6) for d in (near, far)])


def test_an_atom_without_neighbours_has_finite_descriptors() -> None:
    assert crystal_descriptors(isolated_atom()).isfinite().all()


def test_a_site_shared_by_two_elements_counts_as_half_of_each() -> None:
    batch = crystal(*ROCKSALT)
    occupancy = torch.zeros(2, 119, dtype=torch.float64)
    occupancy[:, [11, 17]] = 0.5
    mixed = crystal_descriptors(dataclasses.replace(batch, occupancy=occupancy))[0, : 4 * N_ELEMENT_FEATURES]
    torch.testing.assert_close(mixed, describe(ROCKSALT)[: 4 * N_ELEMENT_FEATURES])
