"""From one crystal to one row of the graph table."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from pymatgen.core import Structure

from stages.build_graphs.neighbors import periodic_neighbors
from stages.shared.structures import structure_from_cif


@dataclass(frozen=True)
class CrystalEntry:
    """What this stage needs of a row of the table of crystals."""

    material_id: str
    cif: str


@dataclass(frozen=True)
class GraphRejection:
    """A crystal without a graph, and why."""

    material_id: str
    reason: str


def graph_row(crystal: CrystalEntry, cutoff: float, max_neighbors: int) -> dict[str, Any] | GraphRejection:
    """Return the columns of `GRAPHS_SCHEMA` for one crystal.

    Args:
        crystal: its CIF text gives lattice and sites.
        cutoff: Å.
        max_neighbors: see `periodic_neighbors`.
    """
    try:
        structure = structure_from_cif(crystal.cif)
    except ValueError as error:
        return GraphRejection(crystal.material_id, f"the CIF cannot be read: {error}")
    neighbors = periodic_neighbors(structure, cutoff, max_neighbors)
    reach = int(np.abs(neighbors.image).max(initial=0))
    if reach > np.iinfo(np.int8).max:
        return GraphRejection(
            crystal.material_id,
            f"the cell is so skewed or small that a neighbour lies {reach} cells away; at most 127 can be stored",
        )
    return {
        "material_id": crystal.material_id,
        "atomic_numbers": atomic_numbers(structure).astype(np.uint8),
        "frac_coords": structure.frac_coords.ravel(),
        "lattice": structure.lattice.matrix.ravel(),
        "edge_source": neighbors.source.astype(np.int32),
        "edge_target": neighbors.target.astype(np.int32),
        "edge_image": neighbors.image.astype(np.int8).ravel(),
    }


def atomic_numbers(structure: Structure) -> np.ndarray:
    """Return one atomic number per site, (n_atoms,).

    A disordered site counts as its most abundant element, the lighter one where two are equally abundant.
    """
    numbers = []
    for site in structure:
        amounts = site.species.items()
        dominant = min(amounts, key=lambda amount: (-round(amount[1], 4), amount[0].Z))
        numbers.append(dominant[0].Z)
    return np.array(numbers)
