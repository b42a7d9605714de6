"""The neighbour list against a search through every image, and the invariances a graph must have."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from stages.build_graphs.neighbors import SHELL_WIDTH, PeriodicNeighbors, periodic_neighbors

Edge = tuple[int, int, int, int, int]


def _brute_force(structure: Structure, cutoff: float) -> dict[Edge, float]:
    """Distance of every pair within the cutoff, by trying all images the cutoff sphere can reach."""
    lattice, frac = structure.lattice.matrix, structure.frac_coords
    heights = 1 / np.linalg.norm(np.linalg.inv(lattice), axis=0)  # between opposite faces
    spread = np.ptp(frac, axis=0)  # coordinates need not lie in one cell
    reach = [int(np.ceil(cutoff / height + apart)) for height, apart in zip(heights, spread, strict=True)]
    images = np.array(list(itertools.product(*(range(-n, n + 1) for n in reach))))
    found = {}
    for i, j in itertools.product(range(len(frac)), repeat=2):
        distances = np.linalg.norm((frac[j] + images - frac[i]) @ lattice, axis=1)
        for image, distance in zip(images, distances, strict=True):
            if distance <= cutoff and not (i == j and not image.any()):
                found[i, j, int(image[0]), int(image[1]), int(image[2])] = float(distance)
    return found


def _edges(neighbors: PeriodicNeighbors) -> dict[Edge, float]:
    keys = np.column_stack([neighbors.source, neighbors.target, neighbors.image]).tolist()
    edges = {(i, j, a, b, c): d for (i, j, a, b, c), d in zip(keys, neighbors.distance.tolist(), strict=True)}
    assert len(edges) == len(keys), "an edge is listed twice"
    return edges


_coordinate = st.floats(-1.0, 2.0)
_crystals = st.builds(
    lambda vectors, coords: (np.array(vectors), coords),
    st.lists(st.tuples(*[st.floats(-5.0, 5.0)] * 3), min_size=3, max_size=3),
    st.lists(st.tuples(_coordinate, _coordinate, _coordinate), min_size=1, max_size=4),
)


@settings(max_examples=100, deadline=None)
@given(crystal=_crystals, cutoff=st.floats(1.0, 7.0))
def test_finds_exactly_the_pairs_of_a_brute_force_search(crystal: tuple, cutoff: float) -> None:
    vectors, coords = crystal
    assume(abs(np.linalg.det(vectors)) > 8.0)
    structure = Structure(vectors, ["C"] * len(coords), coords)
    expected = _brute_force(structure, cutoff)
    assume(all(distance > 1e-3 and abs(distance - cutoff) > 1e-6 for distance in expected.values()))
    found = _edges(periodic_neighbors(structure, cutoff, 0))
    assert found.keys() == expected.keys()
    for edge, distance in expected.items():
        assert found[edge] == pytest.approx(distance, abs=1e-9)


def test_a_cutoff_of_several_cells_counts_the_shells_of_a_simple_cubic_lattice() -> None:
    neighbors = periodic_neighbors(Structure(Lattice.cubic(1.0), ["Po"], [[0.3, 0.4, 0.5]]), 4.01, 0)
    shells = Counter(round(float(d) ** 2) for d in neighbors.distance)
    # number of ways to write n as a sum of three squares
    assert shells == {
        1: 6, 2: 12, 3: 8, 4: 6, 5: 24, 6: 24, 8: 12, 9: 30, 10: 24, 11: 24, 12: 8, 13: 24, 14: 48, 16: 6
    }  # fmt: skip


@pytest.mark.parametrize(("cap", "kept"), [(0, 6 + 12 + 8), (1, 6), (6, 6), (7, 6 + 12), (18, 18), (19, 26), (99, 26)])
def test_the_cap_keeps_whole_shells(cap: int, kept: int) -> None:
    structure = Structure(Lattice.cubic(3.0), ["Po"], [[0, 0, 0]])
    assert len(periodic_neighbors(structure, 3.0 * 1.75, cap).source) == kept


@settings(max_examples=40, deadline=None)
@given(crystal=_crystals, cap=st.integers(1, 15))
def test_the_cap_keeps_the_nearest_neighbours_of_each_atom(crystal: tuple, cap: int) -> None:
    vectors, coords = crystal
    assume(abs(np.linalg.det(vectors)) > 20.0)
    structure = Structure(vectors, ["C"] * len(coords), coords)
    every, kept = (_edges(periodic_neighbors(structure, 5.0, limit)) for limit in (0, cap))
    for atom in range(len(coords)):
        distances = sorted(d for edge, d in every.items() if edge[0] == atom)
        limit = distances[cap - 1] + SHELL_WIDTH if len(distances) > cap else np.inf
        assert sorted(d for edge, d in kept.items() if edge[0] == atom) == [d for d in distances if d <= limit]


def _environments(structure: Structure, cap: int) -> Counter[tuple]:
    """For each atom: its element and the sorted elements and distances of its neighbours, per atom of the cell."""
    neighbors = periodic_neighbors(structure, 6.0, cap)
    symbols = [site.specie.symbol for site in structure]
    found: Counter[tuple] = Counter()
    for atom, symbol in enumerate(symbols):
        mine = neighbors.source == atom
        partners = [symbols[j] for j in neighbors.target[mine]]
        distances = np.round(neighbors.distance[mine], 5).tolist()
        found[symbol, tuple(sorted(zip(distances, partners, strict=True)))] += 1
    return found


@pytest.mark.parametrize("cap", [0, 8, 13])
def test_the_graph_depends_on_the_crystal_alone(cap: int) -> None:
    wurtzite = Structure.from_spacegroup(
        "P6_3mc", Lattice.hexagonal(3.25, 5.21), ["Zn", "O"], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.382]]
    )
    expected = _environments(wurtzite, cap)
    random = np.random.RandomState(0)
    for _ in range(5):
        skewed = np.eye(3, dtype=int) + np.triu(random.randint(-2, 3, (3, 3)), 1)
        other = wurtzite * skewed
        rotation, _ = np.linalg.qr(random.standard_normal((3, 3)))
        order = random.permutation(len(other))
        coords = (other.frac_coords + random.rand(3))[order]
        rewritten = Structure(other.lattice.matrix @ rotation, [other[i].species for i in order], coords)
        assert _environments(rewritten, cap) == expected
    doubled = _environments(wurtzite * (2, 1, 1), cap)
    assert doubled == Counter({key: 2 * count for key, count in expected.items()})


def test_edges_are_sorted_by_source_distance_target_and_image() -> None:
    structure = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])
    neighbors = periodic_neighbors(structure, 6.0, 12)
    columns = (neighbors.source, np.round(neighbors.distance, 3), neighbors.target, *neighbors.image.T)
    keys = list(zip(*(column.tolist() for column in columns), strict=True))
    assert keys == sorted(keys)


def test_an_atom_without_neighbours_has_no_edges() -> None:
    neighbors = periodic_neighbors(Structure(Lattice.cubic(20.0), ["Xe"], [[0, 0, 0]]), 6.0, 12)
    assert neighbors.source.shape == (0,)
    assert neighbors.image.shape == (0, 3)
