"""Crystal structures as CIF text and back, without losing a site or moving an atom."""

import warnings

from pymatgen.core import Structure
from pymatgen.io.cif import CifParser, CifWriter

_SIGNIFICANT_FIGURES = 10


def structure_to_cif(structure: Structure) -> str:
    """Write a structure as CIF text in space group P1, sites in their order.

    Lattice parameters and fractional coordinates carry ten decimals. The orientation of the cell is not part of a CIF:
    reading it back gives the same crystal in pymatgen's standard orientation.
    """
    return str(CifWriter(structure, significant_figures=_SIGNIFICANT_FIGURES))


def structure_from_cif(cif: str) -> Structure:
    """Read the structure of a CIF text, every site where the file puts it.

    pymatgen's snapping of coordinates near 1/3 and 2/3 is switched off: it moves atoms by up to 1e-4 of a cell edge.

    pymatgen groups the sites by species.

    Raises:
        ValueError: the text holds no readable structure.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Issues encountered while parsing CIF")
        try:
            parser = CifParser.from_str(cif, frac_tolerance=0.0)
            return parser.parse_structures(primitive=False)[0]
        except ZeroDivisionError:
            raise ValueError("the cell of the CIF has no volume") from None
