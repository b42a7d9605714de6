"""What a structure must satisfy before anything is computed from it."""

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Lattice, Structure
from pymatgen.optimization.neighbors import find_points_in_spheres

from stages.shared.sources.record import BadRecord
from stages.shared.structures import structure_from_cif, structure_to_cif

SHORTEST_DISTANCE = 0.5
"""Å; the shortest bond there is, H-H, measures 0.74 Å."""
SMALLEST_VOLUME = 1.0
"""Å³ per atom; hydrogen at several hundred gigapascal is still above it."""
SMALLEST_THICKNESS = 0.1
"""Å between opposite faces of the cell."""
LONGEST_EDGE = 1000.0
"""Å; longer cells are no crystals, and symmetry and neighbour searches would not end."""
CIF_TOLERANCE = 1e-6
"""Å between an atom and its place in the CIF."""


def usable_structure(structure: Structure, max_atoms: int) -> Structure:
    """Return the structure with a right-handed cell and coordinates within [0, 1).

    A CIF holds lengths and angles only, from which every reader builds a right-handed cell; a left-handed one would
    come back as its mirror image. Negating vectors and coordinates alike leaves every atom where it is.

    Raises:
        BadRecord: more than `max_atoms` sites, a cell that is too small, too large or nearly flat, or atoms that
        overlap.
    """
    if len(structure) > max_atoms:
        raise BadRecord(f"{len(structure)} atoms are more than generate_cif.max_atoms = {max_atoms}")
    lattice, frac_coords = structure.lattice.matrix, structure.frac_coords
    if np.linalg.det(lattice) < 0:
        lattice, frac_coords = -lattice, -frac_coords
    _check_cell(Lattice(lattice), len(structure))
    wrapped = frac_coords % 1.0
    wrapped[wrapped == 1.0] = 0.0  # the remainder of a tiny negative number rounds up to 1
    _check_distances(lattice, wrapped)
    return Structure(lattice, structure.species_and_occu, wrapped)


def faithful_cif(structure: Structure) -> str:
    """Return the CIF text of a structure, sites sorted by species, after reading it back.

    Raises:
        BadRecord: what is read differs by a site, by a species, or by more than `CIF_TOLERANCE` in a position.
    """
    structure = structure.get_sorted_structure()
    cif = structure_to_cif(structure)
    try:
        found = structure_from_cif(cif)
    except ValueError as error:
        raise BadRecord(f"its CIF cannot be read back: {error}") from None
    if len(found) != len(structure):
        raise BadRecord(f"its CIF reads back with {len(found)} instead of {len(structure)} atoms")
    shift = found.frac_coords - structure.frac_coords
    distances = np.linalg.norm((shift - np.round(shift)) @ structure.lattice.matrix, axis=1)
    for mine, theirs, distance in zip(structure, found, distances, strict=True):
        if distance > CIF_TOLERANCE or dict(mine.species) != dict(theirs.species):
            raise BadRecord(f"its CIF reads back with {theirs.species_string} for {mine.species_string}")
    return cif


def _check_cell(lattice: Lattice, n_atoms: int) -> None:
    if max(lattice.abc) > LONGEST_EDGE:
        raise BadRecord(f"a cell edge of {max(lattice.abc):.0f} Å is longer than {LONGEST_EDGE:g} Å")
    if lattice.volume / n_atoms < SMALLEST_VOLUME:
        raise BadRecord(f"{lattice.volume / n_atoms:.3g} Å³ per atom leave no room for an atom")
    thickness = 1 / max(lattice.reciprocal_lattice_crystallographic.abc)
    if thickness < SMALLEST_THICKNESS:
        raise BadRecord(f"the cell is {thickness:.2g} Å thick; its vectors are almost parallel")


def _check_distances(lattice: NDArray[np.float64], frac_coords: NDArray[np.float64]) -> None:
    """Look for two atoms, or an atom and its own image, closer than `SHORTEST_DISTANCE`."""
    reduced = Lattice(lattice).get_lll_reduced_lattice()  # few images to search, whatever the cell
    positions = np.ascontiguousarray(frac_coords @ lattice)
    # the search keeps a grid of boxes of this width over the whole cell, which must not outgrow the memory
    radius = max(SHORTEST_DISTANCE, max(reduced.abc) / 40)
    atoms, neighbors, images, distances = find_points_in_spheres(
        positions, positions, radius, np.ones(3, dtype=np.int64), np.ascontiguousarray(reduced.matrix)
    )
    itself = (atoms == neighbors) & (images == 0).all(axis=1)
    shortest = distances[~itself].min(initial=np.inf)
    if shortest < SHORTEST_DISTANCE:
        raise BadRecord(f"two atoms are {shortest:.2f} Å apart, closer than {SHORTEST_DISTANCE} Å")
