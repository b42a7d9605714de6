"""The neighbour list against a search through every image, and the invariances a graph must have."""

import importlib
import itertools
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from stages.build_graphs.neighbors import SHELL_WIDTH, PeriodicNeighbors, Selection, periodic_neighbors

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
_near_faces = st.sampled_from([0.0, 1.0, -1e-17, 1e-17, 1 - 1e-16, 1e-8, -1e-8, 1 - 1e-8, 1 + 1e-8, 0.5, -0.5])
_crystals = st.builds(
    lambda vectors, coords: (np.array(vectors), np.array(coords)),
    st.lists(st.tuples(*[st.floats(-5.0, 5.0)] * 3), min_size=3, max_size=3),
    st.lists(st.tuples(_coordinate, _coordinate, _coordinate), min_size=1, max_size=4),
)


@settings(max_examples=100, deadline=None)
@given(crystal=_crystals, cutoff=st.floats(1.0, 7.0))
def test_finds_exactly_the_pairs_of_a_brute_force_search(crystal: tuple, cutoff: float) -> None:
    vectors, coords = crystal
    assume(abs(np.linalg.det(vectors)) > 8.0)
    _assert_equals_brute_force(Structure(vectors, ["C"] * len(coords), coords), cutoff)


@settings(max_examples=50, deadline=None)
@given(coords=st.lists(st.tuples(*[_near_faces] * 3), min_size=1, max_size=3), cutoff=st.floats(2.0, 7.0))
def test_atoms_on_a_face_of_the_cell_or_just_beside_it_have_their_neighbours(coords: list, cutoff: float) -> None:
    vectors = Lattice.from_parameters(3.1, 4.3, 5.2, 71, 82, 113).matrix
    _assert_equals_brute_force(Structure(vectors, ["C"] * len(coords), coords), cutoff)


@settings(max_examples=25, deadline=None)
@given(
    thickness=st.floats(0.12, 0.6),
    shear=st.tuples(*[st.floats(-4.0, 4.0)] * 3),
    axis=st.integers(0, 2),
    cutoff=st.floats(1.0, 4.0),
)
def test_a_thin_sheared_cell_of_one_atom_has_the_neighbours_of_a_brute_force_search(
    thickness: float, shear: tuple[float, float, float], axis: int, cutoff: float
) -> None:
    vectors = np.diag(np.roll([thickness, 4.0, 6.0], axis))
    vectors[1, 0], vectors[2, 0], vectors[2, 1] = shear
    _assert_equals_brute_force(Structure(vectors, ["C"], [[0.2, 0.9, 0.4]]), cutoff)


def _assert_equals_brute_force(structure: Structure, cutoff: float) -> None:
    near = _brute_force(structure, cutoff + 1e-5)
    assume(all(distance > 1e-3 and abs(distance - cutoff) > 1e-6 for distance in near.values()))
    expected = {edge: distance for edge, distance in near.items() if distance < cutoff}
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


@settings(max_examples=60, deadline=None)
@given(crystal=_crystals, cap=st.integers(1, 15), cutoff=st.floats(2.0, 7.0))
def test_the_cap_keeps_the_nearest_neighbours_of_each_atom(crystal: tuple, cap: int, cutoff: float) -> None:
    vectors, coords = crystal
    assume(abs(np.linalg.det(vectors)) > 20.0)
    structure = Structure(vectors, ["C"] * len(coords), coords)
    every = _edges(periodic_neighbors(structure, cutoff, 0))
    shells, exact = (_edges(periodic_neighbors(structure, cutoff, cap, rule)) for rule in _SELECTIONS)
    assert exact.keys() <= shells.keys() <= every.keys()
    for atom in range(len(coords)):
        distances = sorted(d for edge, d in every.items() if edge[0] == atom)
        limit = distances[cap - 1] + SHELL_WIDTH if len(distances) > cap else np.inf
        assume(all(abs(d - limit) > 1e-6 for d in distances))
        assert sorted(d for edge, d in shells.items() if edge[0] == atom) == [d for d in distances if d <= limit]
        chosen = sorted(d for edge, d in exact.items() if edge[0] == atom)
        np.testing.assert_allclose(chosen, distances[:cap], atol=SHELL_WIDTH, strict=True)


_SELECTIONS: tuple[Selection, Selection] = ("whole_shells", "exactly")


@pytest.mark.parametrize(("cap", "from_last_shell"), [(12, 6), (6, 0), (18, 12), (20, 2), (99, 8)])
def test_of_a_shell_that_is_cut_the_first_atoms_and_images_are_kept(cap: int, from_last_shell: int) -> None:
    # 6 neighbours at 2.8 Å, 12 at 3.96 Å, 8 at 4.85 Å
    rocksalt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])
    found = _edges(periodic_neighbors(rocksalt, 5.0, cap, "exactly"))
    every = _brute_force(rocksalt, 5.0)
    for atom in range(len(rocksalt)):
        by_shell: dict[float, list[Edge]] = {}
        for edge in sorted(edge for edge in every if edge[0] == atom):
            by_shell.setdefault(round(every[edge], 6), []).append(edge)
        shells = [by_shell[distance] for distance in sorted(by_shell)]
        assert [len(shell) for shell in shells] == [6, 12, 8]
        kept = [len([edge for edge in shell if edge in found]) for shell in shells]
        last = max(place for place, number in enumerate(kept) if number)
        assert kept[last] == (from_last_shell or 6)
        assert [edge for edge in found if edge[0] == atom] == [
            *itertools.chain(*shells[:last]),
            *shells[last][: kept[last]],
        ]


def test_an_atom_with_fewer_neighbours_than_the_cap_has_those_within_the_cutoff() -> None:
    dimer = Structure(Lattice.cubic(20.0), ["N", "N", "Xe"], [[0, 0, 0], [0, 0, 0.055], [0.5] * 3])
    for selection in _SELECTIONS:
        assert periodic_neighbors(dimer, 6.0, 12, selection).source.tolist() == [0, 1]


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0, np.sqrt(2)])
@pytest.mark.parametrize(
    ("offset", "counted"), [(0.0, True), (1e-8, True), (-1e-8, True), (-1e-6, False), (1e-6, True)]
)
def test_a_shell_at_the_cutoff_counts_as_a_whole_whatever_the_orientation(
    scale: float, offset: float, counted: bool
) -> None:
    for rotation in _rotations(20):
        structure = Structure(np.diag([3.0] * 3) * scale @ rotation, ["Po"], [[0.1, 0.2, 0.3]])
        assert len(periodic_neighbors(structure, 3.0 * scale + offset, 0).source) == (6 if counted else 0)


@pytest.mark.parametrize("selection", _SELECTIONS)
@pytest.mark.parametrize("cap", [0, 1, 3, 7, 12])
def test_the_last_bit_of_a_distance_decides_nothing(cap: int, selection: Selection) -> None:
    # every length here is an odd multiple of half a shell's width, and 2.0005, 2.0015 Å are a shell's width apart
    lattice, coords = np.diag([4.001, 4.003, 6.0015]), [[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0.5, 0.5, 0.5]]
    found = [
        _edge_list(periodic_neighbors(Structure(lattice @ rotation, ["C"] * 4, coords), 6.0, cap, selection))
        for rotation in [np.eye(3), *_rotations(30)]
    ]
    assert all(edges == found[0] for edges in found)


def _edge_list(neighbors: PeriodicNeighbors) -> list[list[int]]:
    edges: list[list[int]] = np.column_stack([neighbors.source, neighbors.target, neighbors.image]).tolist()
    return edges


def _rotations(number: int) -> list[np.ndarray]:
    random = np.random.RandomState(0)
    return [np.linalg.qr(random.standard_normal((3, 3)))[0] for _ in range(number)]


_shifts = st.lists(st.tuples(*[st.integers(-3, 3)] * 3), min_size=4, max_size=4)
_shears = st.tuples(*[st.integers(-2, 2)] * 6)


@settings(max_examples=60, deadline=None)
@given(
    crystal=_crystals, cap=st.sampled_from([0, 5, 12]), order=st.permutations(range(4)), shifts=_shifts, shears=_shears
)
def test_edges_follow_the_order_of_atoms_the_cell_they_are_written_in_and_the_choice_of_the_cell(
    crystal: tuple, cap: int, order: list[int], shifts: list, shears: tuple
) -> None:
    vectors, coords = crystal
    assume(abs(np.linalg.det(vectors)) > 20.0)
    every = _brute_force(Structure(vectors, ["C"] * len(coords), coords), 5.0 + 1e-5)
    assume(all(distance > 1e-3 and abs(distance - 5.0) > 1e-5 for distance in every.values()))
    edges = _edges(periodic_neighbors(Structure(vectors, ["C"] * len(coords), coords), 5.0, cap))
    order = [atom for atom in order if atom < len(coords)]
    shift = np.array(shifts[: len(coords)])
    basis = np.eye(3, dtype=int) + np.triu(np.reshape([*shears, 0, 0, 0], (3, 3)), 1)
    basis = basis @ (np.eye(3, dtype=int) + np.tril(np.reshape([0, 0, 0, *shears], (3, 3)), -1))
    inverse = np.rint(np.linalg.inv(basis)).astype(int)
    rewritten = Structure(basis @ vectors, ["C"] * len(coords), ((coords + shift) @ inverse)[order])
    expected = set()
    for i, j, *image in edges:
        moved = (np.array(image) - shift[j] + shift[i]) @ inverse
        expected.add((order.index(i), order.index(j), *moved.tolist()))
    assert _edges(periodic_neighbors(rewritten, 5.0, cap)).keys() == expected


@settings(max_examples=40, deadline=None)
@given(crystal=_crystals, cutoff=st.floats(1.0, 7.0))
def test_without_a_cap_every_edge_has_its_reverse(crystal: tuple, cutoff: float) -> None:
    vectors, coords = crystal
    assume(abs(np.linalg.det(vectors)) > 8.0)
    edges = _edges(periodic_neighbors(Structure(vectors, ["C"] * len(coords), coords), cutoff, 0))
    assume(all(abs(distance - cutoff) > 1e-6 for distance in edges.values()))
    assert {(j, i, -a, -b, -c) for i, j, a, b, c in edges} == edges.keys()


def _by_pymatgen(structure: Structure, cutoff: float) -> tuple:
    source, target, image, _ = structure.get_neighbor_list(cutoff)
    return source, target, image


def _by_ase(structure: Structure, cutoff: float) -> tuple:
    ase = importlib.import_module("ase")
    atoms = ase.Atoms("C" * len(structure), structure.cart_coords, cell=structure.lattice.matrix, pbc=True)
    found: tuple = importlib.import_module("ase.neighborlist").neighbor_list("ijS", atoms, cutoff)
    return found


def _by_matscipy(structure: Structure, cutoff: float) -> tuple:
    search = importlib.import_module("matscipy.neighbours").neighbour_list
    cell, positions = structure.lattice.matrix, structure.cart_coords
    found: tuple = search("ijS", positions=positions, cell=cell, pbc=np.ones(3, dtype=bool), cutoff=cutoff)
    return found


def _by_vesin(structure: Structure, cutoff: float) -> tuple:
    search = importlib.import_module("vesin").NeighborList(cutoff=cutoff, full_list=True)
    found: tuple = search.compute(structure.cart_coords, structure.lattice.matrix, periodic=True, quantities="ijS")
    return found


@pytest.mark.parametrize("cutoff", [2.5, 4.0, 9.0])
@pytest.mark.parametrize(
    ("package", "search"),
    [("pymatgen", _by_pymatgen), ("ase", _by_ase), ("matscipy", _by_matscipy), ("vesin", _by_vesin)],
)
def test_other_packages_find_the_same_edges(package: str, search: Callable[..., tuple], cutoff: float) -> None:
    pytest.importorskip(package, reason=f"{package} is not installed")
    random = np.random.RandomState(1)
    for n_atoms in (1, 2, 7, 40):
        vectors = np.diag(random.uniform(2.0, 5.0, 3)) + np.tril(random.uniform(-3.0, 3.0, (3, 3)), -1)
        structure = Structure(vectors * max(1.0, n_atoms / 8) ** (1 / 3), ["C"] * n_atoms, random.rand(n_atoms, 3))
        source, target, image = search(structure, cutoff)
        expected = {tuple(edge) for edge in np.column_stack([source, target, image]).astype(int).tolist()}
        assert _edges(periodic_neighbors(structure, cutoff, 0)).keys() == expected


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
