"""The benchmark compares like with like: CLaC's routes and ours build the same graphs."""

import numpy as np
import pytest
from pymatgen.core import Structure

from stages.build_graphs.neighbors import PeriodicNeighbors, periodic_neighbors
from tests.benchmarks.graphs import (
    ASE_CUTOFF,
    JARVIS_CUTOFF,
    JARVIS_NEIGHBORS,
    as_ase,
    as_jarvis,
    ase_edges,
    jarvis_graphs,
    supercells,
)

Edge = tuple[int, int, float, float, float]


def _crystals() -> list[Structure]:
    random = np.random.RandomState(2)
    skewed = [np.diag(random.uniform(3.0, 6.0, 3)) + np.tril(random.uniform(-2.0, 2.0, (3, 3)), -1) for _ in range(3)]
    return [Structure(cell, ["O"] * n, random.rand(n, 3)) for n, cell in zip((1, 3, 6), skewed, strict=True)]


def _edges(source: np.ndarray, target: np.ndarray, vector: np.ndarray) -> set[Edge]:
    """Edges with their vectors in Å to three decimals; JARVIS-tools has them in single precision."""
    return {
        (int(i), int(j), x, y, z)
        for i, j, (x, y, z) in zip(source, target, (np.round(vector.astype(np.float64), 3) + 0.0).tolist(), strict=True)
    }


def _vectors(structure: Structure, found: PeriodicNeighbors) -> np.ndarray:
    frac = structure.frac_coords
    vectors: np.ndarray = (frac[found.target] + found.image - frac[found.source]) @ structure.lattice.matrix
    return vectors


@pytest.mark.parametrize("structure", _crystals())
def test_the_route_over_ase_has_the_edges_of_a_search_without_a_cap(structure: Structure) -> None:
    pytest.importorskip("ase", reason="ASE is not installed")
    source, target, _, vector = ase_edges(as_ase(structure))
    found = periodic_neighbors(structure, ASE_CUTOFF, 0)
    assert _edges(source, target, vector) == _edges(found.source, found.target, _vectors(structure, found))
    assert len(source) == len(found.source)


@pytest.mark.parametrize("structure", _crystals())
def test_the_route_over_jarvis_has_the_edges_of_twelve_neighbours_and_their_reverses(structure: Structure) -> None:
    pytest.importorskip("jarvis", reason="JARVIS-tools is not installed")
    graphs, atoms = jarvis_graphs(), as_jarvis(structure)
    edges = graphs.nearest_neighbor_edges(atoms, cutoff=JARVIS_CUTOFF, max_neighbors=JARVIS_NEIGHBORS)
    source, target, vector = (tensor.numpy() for tensor in graphs.build_undirected_edgedata(atoms, edges))
    found = periodic_neighbors(structure, JARVIS_CUTOFF, JARVIS_NEIGHBORS)
    vectors = _vectors(structure, found)
    both = _edges(found.source, found.target, vectors) | _edges(found.target, found.source, -vectors)
    assert _edges(source, target, vector) == both


def test_supercells_have_50_to_500_atoms() -> None:
    sizes = [len(structure) for structure in supercells(_crystals())]
    assert sizes
    assert all(50 <= size <= 500 for size in sizes)
