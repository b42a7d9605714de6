"""Crystal structures as CIF text and back, without losing a site or moving an atom.

The text is a plain CIF in space group P1 that any program reads. Read back, it gives every site in its place and order,
with the same species, isotopes included, and the same occupancies; oxidation states keep two decimals. Ten decimals of
lengths, angles and fractional coordinates place an atom to 1e-8 Å in a cell of 100 Å, a thousand times finer than the
single precision in which models see it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Composition, Element, Lattice, Species, Structure
from pymatgen.io.cif import CifFile, CifWriter

_DECIMALS = 10
_CELL = tuple(
    f"_cell_{name}" for name in ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
)
_COORDINATES = tuple(f"_atom_site_fract_{axis}" for axis in "xyz")
_SMALLEST_VOLUME = 1e-6  # Å³


def structure_to_cif(structure: Structure) -> str:
    """Write a structure as CIF text in space group P1, sites in their order.

    A disordered site takes one line per species. The orientation of the cell is not part of a CIF: reading it back
    gives the same crystal in pymatgen's standard orientation.
    """
    cif = CifWriter(structure, significant_figures=_DECIMALS).cif_file
    for block in cif.data.values():
        # pymatgen writes the isotopes D and T as H
        block.data["_atom_site_type_symbol"] = [
            species.name if isinstance(species, Element) else str(species)
            for site in structure
            for species, _ in sorted(site.species.items())
        ]
    return str(cif)


def structure_from_cif(cif: str) -> Structure:
    """Read a CIF text that `structure_to_cif` wrote: sites in their order, coordinates in [0, 1).

    Neighbouring lines with the same coordinates are one disordered site. pymatgen only splits the text into values: its
    own parser compares every site with every other, merges sites less than 1e-4 of a cell edge apart, and takes oxygen
    and hydrogen that share a site for a hydroxyl group.

    Raises:
        ValueError: the text holds no readable structure, or one with symmetry operations.
    """
    data = _values(cif)
    try:
        cell = [float(data[name]) for name in _CELL]
        coords = np.array([data[name] for name in _COORDINATES], dtype=np.float64).T  # (n_lines, 3)
        occupancies = np.array(data["_atom_site_occupancy"], dtype=np.float64)
        symbols, operations = data["_atom_site_type_symbol"], data["_symmetry_equiv_pos_as_xyz"]
    except KeyError as error:
        raise ValueError(f"the CIF has no {error.args[0]}") from None
    if operations != ["x, y, z"]:
        raise ValueError("the CIF has symmetry operations; only one that lists all atoms of the cell (P1) can be read")
    if not (coords.shape == (len(symbols), 3) and occupancies.shape == (len(symbols),)):
        raise ValueError("the CIF has no table of atoms")
    return _structure(Lattice.from_parameters(*cell), coords - np.floor(coords), symbols, occupancies)


def _values(cif: str) -> dict[str, Any]:
    """Return the values of a CIF by name: text, or a list of texts in a table."""
    try:
        blocks = CifFile.from_str(cif).data
    except (IndexError, ValueError, ZeroDivisionError):
        raise ValueError("the CIF has an incomplete table") from None
    if not blocks:
        raise ValueError("the text is no CIF")
    return dict(next(iter(blocks.values())).data)


def _structure(
    lattice: Lattice, coords: NDArray[np.float64], symbols: list[str], occupancies: NDArray[np.float64]
) -> Structure:
    """Join the lines of the table of atoms that lie at one place to sites.

    Args:
        lattice: the cell.
        coords: (n_lines, 3) fractional coordinates.
        symbols: (n_lines,) elements, isotopes or ions.
        occupancies: (n_lines,).
    """
    if not lattice.volume > _SMALLEST_VOLUME:
        raise ValueError("the cell of the CIF has no volume")
    if not (np.isfinite(coords).all() and (occupancies > 0).all()):
        raise ValueError("a coordinate or an occupancy of the CIF is no usable number")
    species = {symbol: _species(symbol) for symbol in set(symbols)}
    starts = np.flatnonzero(np.r_[True, (np.diff(coords, axis=0) != 0).any(axis=1)])
    sites = []
    for first, end in zip(starts, [*starts[1:], len(symbols)], strict=True):
        lines = range(first, end)
        sites.append(Composition({species[symbols[line]]: float(occupancies[line]) for line in lines}))
    return Structure(lattice, sites, coords[starts])


def _species(symbol: str) -> Element | Species:
    """Return an element or isotope ("Fe", "D"), or an ion ("Fe3+")."""
    try:
        return Element(symbol) if Element.is_valid_symbol(symbol) else Species.from_str(symbol)
    except ValueError:
        raise ValueError(f"the CIF has the unknown element {symbol}") from None
