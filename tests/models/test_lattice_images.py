import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from models.graph.batch import CrystalBatch
from models.graph.crystalformer.lattice_images import _FAR, ImageBlock, images_within
from tests.models.crystals import crystal, three_crystals, triclinic


def listed(blocks: list[ImageBlock]) -> dict[int, list[tuple[int, float, tuple[float, ...]]]]:
    """For each atom its images: neighbour atom, distance, vector rounded."""
    images: dict[int, list[tuple[int, float, tuple[float, ...]]]] = {}
    for block in blocks:
        for row, centre in enumerate(block.centre.tolist()):
            real = block.squared_distance[row] < _FAR
            neighbor = block.neighbor[row][block.slot[row][real]].tolist()
            distance = block.squared_distance[row][real].sqrt().tolist()
            vector = [tuple(one) for one in (block.vector[row][real] + 0.0).round(decimals=6).tolist()]
            images[centre] = list(zip(neighbor, distance, vector, strict=True))
    return images


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.lists(st.floats(-1.5, 1.5), min_size=9, max_size=9),
    st.lists(st.lists(st.floats(-3, 3), min_size=3, max_size=3), min_size=1, max_size=4),
    st.floats(0.5, 6.0),
)
def test_the_images_are_those_of_pymatgen(skew: list[float], positions: list[list[float]], radius: float) -> None:
    lattice = 4.0 * np.eye(3) + np.reshape(skew, (3, 3))
    frac_coords = np.array(positions)
    structure = Structure(Lattice(lattice), ["C"] * len(frac_coords), frac_coords)
    centre, neighbor, _, distance = structure.get_neighbor_list(radius, exclude_self=False, numerical_tol=1e-8)
    at_the_edge = bool((np.abs(distance - radius) < 1e-6).any())
    batch = crystal([6] * len(frac_coords), torch.tensor(frac_coords), torch.tensor(lattice), cutoff=0.1)
    images = listed(images_within(batch, radius))
    for atom in range(len(frac_coords)):
        expected = sorted(distance[centre == atom].tolist())
        found = [one[1] for one in images[atom]]
        if not at_the_edge:
            # pymatgen leaves the atom itself out of the list
            own = [0.0] if len(found) == len(expected) + 1 else []
            assert found == pytest.approx(own + expected, abs=1e-6)
            assert sorted(neighbor[centre == atom]) == sorted(one[0] for one in images[atom])[: len(expected)] or own
        assert found == sorted(found)


def test_every_image_inside_the_sphere_is_there_once_and_none_outside() -> None:
    elements, frac_coords, lattice = triclinic(3, n_atoms=2)
    images = listed(images_within(crystal(elements, frac_coords, lattice), radius=7.0))
    for i, j in itertools.product(range(2), repeat=2):
        vectors = [
            (frac_coords[j] + torch.tensor(n, dtype=torch.float64) - frac_coords[i]) @ lattice
            for n in itertools.product(range(-8, 9), repeat=3)
        ]
        inside = sorted(tuple((v + 0.0).round(decimals=6).tolist()) for v in vectors if float(v.norm()) <= 7.0)
        assert sorted(one[2] for one in images[i] if one[0] == j) == inside


def test_a_very_skewed_basis_of_the_same_lattice_sees_the_same_images() -> None:
    elements, frac_coords, lattice = triclinic(4, n_atoms=3)
    unimodular = torch.tensor([[1, 7, -4], [0, 1, 9], [0, 0, 1]], dtype=torch.float64)
    skewed = crystal(elements, frac_coords @ torch.linalg.inv(unimodular), unimodular @ lattice, cutoff=0.1)
    plain = crystal(elements, frac_coords, lattice, cutoff=0.1)
    first, second = listed(images_within(plain, 6.0)), listed(images_within(skewed, 6.0))
    for atom in range(3):
        assert [one[1] for one in first[atom]] == pytest.approx([one[1] for one in second[atom]], abs=1e-8)


def test_atoms_of_a_batch_see_their_own_crystal_only() -> None:
    batch: CrystalBatch = three_crystals()
    for atom, images in listed(images_within(batch, 5.0)).items():
        assert all(batch.batch[neighbor] == batch.batch[atom] for neighbor, _, _ in images)
        assert images[0] == (atom, 0.0, (0.0, 0.0, 0.0))
