"""Space group and a structure hash that does not depend on how the crystal is written down."""

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
import spglib
from pymatgen.core import Structure

from stages.shared.sources.record import BadRecord, formula_and_units

_LAST_NUMBER = {
    "triclinic": 2,
    "monoclinic": 15,
    "orthorhombic": 74,
    "tetragonal": 142,
    "trigonal": 167,
    "hexagonal": 194,
    "cubic": 230,
}


@dataclass(frozen=True)
class Symmetry:
    """The space group of a crystal and its occupied orbits.

    `space_group_number` is 1 to 230, `space_group_symbol` the Hermann-Mauguin symbol of the standard setting;
    `orbits` are sorted triples (species, atoms per primitive cell, site symmetry).
    """

    space_group_number: int
    space_group_symbol: str
    orbits: tuple[tuple[str, int, str], ...]

    @property
    def crystal_system(self) -> str:
        """One of the seven crystal systems, lower case; rhombohedral crystals are trigonal."""
        return next(system for system, last in _LAST_NUMBER.items() if self.space_group_number <= last)


def find_symmetry(structure: Structure, tolerance: float) -> Symmetry:
    """Determine the space group with spglib.

    Togo et al., *Spglib: a software library for crystal symmetry search*, Sci. Technol. Adv. Mater. Methods 4, 2384822
    (2024), doi 10.1080/27660400.2024.2384822.

    Args:
        structure: sites may be disordered; sites of the same composition count as the same species.
        tolerance: how far atoms may be from their symmetric place, Å.

    Raises:
        BadRecord: spglib finds no symmetry at this tolerance.
    """
    species = [_species_name(site.species.get_el_amt_dict()) for site in structure]
    kinds = sorted(set(species))
    numbers = [kinds.index(name) + 1 for name in species]
    cell = (structure.lattice.matrix.tolist(), structure.frac_coords.tolist(), numbers)
    try:
        found = spglib.get_symmetry_dataset(cell, symprec=tolerance)
    except spglib.SpglibError as error:
        raise BadRecord(f"spglib fails on the structure: {error}") from None
    if found is None:
        raise BadRecord(f"spglib finds no symmetry within {tolerance:g} Å")
    primitive_cells = len(structure) / len(np.unique(found.mapping_to_primitive))
    orbits = [
        (species[first], round(count / primitive_cells), _axis_free(found.site_symmetry_symbols[first]))
        for first, count in Counter(int(orbit) for orbit in found.crystallographic_orbits).items()
    ]
    return Symmetry(int(found.number), str(found.international), tuple(sorted(orbits)))


def fingerprint(structure: Structure, symmetry: Symmetry) -> str:
    """Return the SHA-256 digest of reduced formula, space group and orbits.

    It is the same for every cell, origin, orientation and order of atoms in which a crystal is written down. Isopointal
    crystals of one composition (same Wyckoff sites, other coordinates) share it.
    """
    facts = [formula_and_units(structure.composition)[0], symmetry.space_group_number, symmetry.orbits]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _species_name(amounts: dict[str, float]) -> str:
    return " ".join(f"{symbol}:{amounts[symbol]:.4f}" for symbol in sorted(amounts))


def _axis_free(site_symmetry: str) -> str:
    """Write an oriented site-symmetry symbol without its orientation: `.m.` and `m..` are the same site."""
    return "".join(sorted(re.findall(r"-?\d|m|/", site_symmetry)))
