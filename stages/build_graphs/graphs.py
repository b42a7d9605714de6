"""From one crystal to one row of the graph table."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from pymatgen.core import Structure
from pymatgen.core.sites import PeriodicSite

from stages.build_graphs.neighbors import Selection, periodic_neighbors
from stages.shared.structures import structure_from_cif

OCCUPANCY_TOLERANCE = 1e-6
"""A site is fully occupied when no more than this is missing; CIF files round their occupancies."""


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


def graph_row(
    crystal: CrystalEntry, cutoff: float, max_neighbors: int, selection: Selection = "whole_shells"
) -> dict[str, Any] | GraphRejection:
    """Return the columns of `GRAPHS_SCHEMA` for one crystal.

    Args:
        crystal: its CIF text gives lattice and sites.
        cutoff: Å.
        max_neighbors: see `periodic_neighbors`, as `selection`.
        selection: what is kept of several neighbours at the distance of the last one.
    """
    try:
        structure = structure_from_cif(crystal.cif)
    except ValueError as error:
        return GraphRejection(crystal.material_id, f"the CIF cannot be read: {error}")
    neighbors = periodic_neighbors(structure, cutoff, max_neighbors, selection)
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
        **occupancy_columns(structure),
    }


def atomic_numbers(structure: Structure) -> np.ndarray:
    """Return one atomic number per site, (n_atoms,).

    A disordered site counts as its most abundant element, the lighter one where two are equally abundant.
    """
    return np.array([_dominant_element(_element_shares(site)) for site in structure])


def occupancy_columns(structure: Structure) -> dict[str, list[Any]]:
    """Return the columns `occupancy_site`, `occupancy_element` and `occupancy_fraction` of `GRAPHS_SCHEMA`.

    Isotopes and oxidation states of an element share its entry. All three are empty for an ordered crystal.
    """
    shares = [_element_shares(site) for site in structure]
    ordered = all(len(share) == 1 and abs(sum(share.values()) - 1) < OCCUPANCY_TOLERANCE for share in shares)
    entries = [] if ordered else [(site, z, share[z]) for site, share in enumerate(shares) for z in sorted(share)]
    names = ("occupancy_site", "occupancy_element", "occupancy_fraction")
    return {name: [entry[place] for entry in entries] for place, name in enumerate(names)}


def _element_shares(site: PeriodicSite) -> dict[int, float]:
    """Return the share of a site that each element takes, by atomic number; deuterium is hydrogen."""
    shares: dict[int, float] = defaultdict(float)
    for species, fraction in site.species.items():
        shares[species.Z] += fraction
    return dict(shares)


def _dominant_element(shares: dict[int, float]) -> int:
    return min(shares, key=lambda z: (-round(shares[z], 4), z))
