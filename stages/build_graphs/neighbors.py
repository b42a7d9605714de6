"""Periodic neighbour lists.

The search itself is pymatgen's `find_points_in_spheres`: of the searches that find what a brute-force search finds
(see the tests) it is the fastest, ahead of vesin, matscipy and ASE (`python -m tests.benchmarks.graphs`).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure
from pymatgen.optimization.neighbors import find_points_in_spheres

SHELL_WIDTH = 1e-3
"""Å; neighbours whose distances differ by less lie in one shell."""
ROUNDING_MARGIN = 3.14e-7
"""Å; cutoff and shells end this much beside round numbers. Distances often are round: the last bit would decide."""
SAME_PLACE = 1e-8
"""Å; an atom this close to itself is itself and no image."""
_PERIODIC = np.ones(3, dtype=np.int64)
_IMAGE_CODE = np.array([1 << 40, 1 << 20, 1])
"""Turns an image (3,) into one number, in the order of its three numbers as long as these stay below half a million."""

Selection = Literal["whole_shells", "exactly"]


@dataclass(frozen=True)
class PeriodicNeighbors:
    """Directed edges from each atom to its neighbours.

    `source` and `target` (n_edges,), `image` (n_edges, 3) and `distance` (n_edges,) in Å; the edge vector is
    x_target + image · lattice − x_source. Sorted by source, distance in steps of `SHELL_WIDTH`, target and image.
    """

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    image: NDArray[np.int64]
    distance: NDArray[np.float64]

    def __getitem__(self, which: NDArray[np.int64]) -> "PeriodicNeighbors":
        """Return the edges with the given indices, in that order."""
        source, target, image = self.source.take(which), self.target.take(which), self.image.take(which, axis=0)
        return PeriodicNeighbors(source, target, image, self.distance.take(which))


def periodic_neighbors(
    structure: Structure, cutoff: float, max_neighbors: int, selection: Selection = "whole_shells"
) -> PeriodicNeighbors:
    """Return the neighbours of every atom, its own images included.

    There are three kinds of graph. With `max_neighbors` 0 an atom has all neighbours within the cutoff. With
    `whole_shells` it has the `max_neighbors` nearest and every other one that is as far away as the last of these: the
    graph depends neither on the order of the atoms nor on the choice of the cell. With `exactly` it has the first
    `max_neighbors` in the order of `PeriodicNeighbors`: of equally distant ones those that come first in the list of
    atoms, then by image. In both, an atom with fewer neighbours within the cutoff has these, possibly none; the cutoff
    is never widened (JARVIS-tools does so). An edge need not have a reverse edge once neighbours are capped.

    Args:
        structure: n_atoms sites.
        cutoff: Å; neighbours at this distance still count.
        max_neighbors: nearest neighbours per atom; 0 keeps all within the cutoff.
        selection: what happens to several neighbours at the distance of the last one; without effect on 0.
    """
    if max_neighbors == 0:
        found = _search(structure, cutoff)
        return _in_order(found[_is_edge(found).nonzero()[0]])
    found = _in_order(_nearest_shells(structure, cutoff, max_neighbors))
    if selection == "exactly":
        n_edges = np.bincount(found.source, minlength=len(structure))  # (n_atoms,)
        place = np.arange(len(found.source)) - (n_edges.cumsum() - n_edges)[found.source]  # among those of its atom
        found = found[(place < max_neighbors).nonzero()[0]]
    return found


def _search(structure: Structure, radius: float) -> PeriodicNeighbors:
    """Return all pairs no farther apart than `radius` in any order, each atom with itself among them."""
    positions = np.ascontiguousarray(structure.cart_coords)
    lattice = np.ascontiguousarray(structure.lattice.matrix)
    source, target, image, distance = find_points_in_spheres(
        positions, positions, radius + ROUNDING_MARGIN, _PERIODIC, lattice
    )
    return PeriodicNeighbors(source, target, image.astype(np.int64), distance)


def _is_edge(found: PeriodicNeighbors) -> NDArray[np.bool_]:
    """Tell which pairs are edges: all but each atom with itself, (n_pairs,)."""
    return (found.source != found.target) | (found.distance > SAME_PLACE)


def _nearest_shells(structure: Structure, cutoff: float, max_neighbors: int) -> PeriodicNeighbors:
    """Return the edges no longer than the `max_neighbors`-th of their source atom, plus a shell's width.

    The search starts with a radius that suffices in a crystal without large holes. Where an atom finds too few
    neighbours, it is repeated with the cutoff; the result is the same.
    """
    n_atoms = len(structure)
    volume = abs(np.linalg.det(structure.lattice.matrix))
    mean_radius = (3 / (4 * np.pi) * (max_neighbors + 1) * volume / n_atoms) ** (1 / 3)
    radius = min(1.25 * mean_radius, cutoff)
    nth = max_neighbors + 1  # the atom itself comes first
    found = _search(structure, radius)
    limit = _kth_distance(found, n_atoms, nth) + SHELL_WIDTH + ROUNDING_MARGIN
    if radius < cutoff and limit.max() > radius:
        found = _search(structure, cutoff)
        limit = _kth_distance(found, n_atoms, nth) + SHELL_WIDTH + ROUNDING_MARGIN
    return found[((found.distance <= limit[found.source]) & _is_edge(found)).nonzero()[0]]


def _kth_distance(found: PeriodicNeighbors, n_atoms: int, k: int) -> NDArray[np.float64]:
    """Return the distance of the k-th pair of every atom, (n_atoms,) in Å; infinite where it has fewer."""
    counts = np.bincount(found.source, minlength=n_atoms)  # (n_atoms,) pairs of each
    by_distance = np.lexsort((found.distance, found.source))  # last key first
    kth = np.minimum(counts.cumsum() - counts + (k - 1), len(by_distance) - 1)
    return np.where(counts >= k, found.distance[by_distance[kth]], np.inf)


def _in_order(found: PeriodicNeighbors) -> PeriodicNeighbors:
    """Sort edges by source, rounded distance, target and image."""
    shell = np.rint((found.distance + ROUNDING_MARGIN) / SHELL_WIDTH)
    return found[np.lexsort((found.image @ _IMAGE_CODE, found.target, shell, found.source))]  # last key first
