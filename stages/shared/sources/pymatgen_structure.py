"""The dictionary in which pymatgen keeps a structure, as JSON."""

from collections.abc import Mapping
from typing import Any

from pymatgen.core import Structure

from stages.shared.sources.record import BadRecord, crystal_structure, finite_number, shortened


def pymatgen_structure(value: Any) -> Structure:
    """Read the dictionary that `Structure.as_dict` makes by hand: pymatgen's reader imports whatever module it names.

    `lattice.matrix` (3, 3) in Å; per site `abc` fractional or else `xyz` cartesian coordinates (Å), and `species` with
    element and occupancy.

    Raises:
        BadRecord: as `crystal_structure`, or a part is missing or of another type.
    """
    if not isinstance(value, Mapping):
        raise BadRecord("the record has no structure")
    lattice, sites = value.get("lattice"), value.get("sites")
    if not isinstance(lattice, Mapping) or not isinstance(sites, list):
        raise BadRecord("the structure has no lattice or no sites")
    if not all(isinstance(site, Mapping) for site in sites):
        raise BadRecord("a site of the structure is no JSON object")
    cartesian = any("abc" not in site for site in sites)
    coords = [site.get("xyz" if cartesian else "abc") for site in sites]
    species = [_species(site.get("species")) for site in sites]
    return crystal_structure(lattice.get("matrix"), species, coords, cartesian)


def _species(value: Any) -> dict[str, float]:
    """Sum the occupancies per element; oxidation states are assignments, not part of the structure."""
    if not isinstance(value, list) or not value:
        raise BadRecord("a site of the structure names no species")
    occupancies: dict[str, float] = {}
    for species in value:
        element = species.get("element") if isinstance(species, Mapping) else None
        occupancy = finite_number(species.get("occu")) if isinstance(species, Mapping) else None
        if not isinstance(element, str) or occupancy is None:
            raise BadRecord(f"species {shortened(species)} has no element or occupancy")
        occupancies[element] = occupancies.get(element, 0.0) + occupancy
    return occupancies
