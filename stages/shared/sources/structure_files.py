"""The file formats in which people keep a structure: CIF, POSCAR, extended XYZ."""

import re
import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from pymatgen.core import Element, Structure

from stages.shared.sources.record import BadRecord, array_of, clean_text, crystal_structure, shortened

LONGEST_TEXT = 1 << 20
"""Characters of one structure; that is more than ten thousand atoms."""


def read_cif(text: str) -> Structure:
    """Read a CIF file with one structure; symmetry operations are applied, oxidation states dropped.

    Raises:
        BadRecord: pymatgen cannot read it, it holds none or several structures, or as `crystal_structure`.
    """
    from pymatgen.io.cif import CifParser  # 0.4 s to import, needed for files in this format only

    _check_length(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what matters of them is checked below and by the caller
            structures = CifParser.from_str(text).parse_structures(primitive=False, on_error="raise")
    except ValueError as error:
        raise BadRecord(f"the CIF cannot be read: {_first_line(error)}") from None
    except (LookupError, ArithmeticError, TypeError, AttributeError, AssertionError):
        raise BadRecord("the CIF cannot be read: a table or a value in it is incomplete") from None
    if len(structures) != 1:
        raise BadRecord(f"the CIF holds {len(structures)} structures; put each into a file of its own")
    (structure,) = structures
    species = [dict(site.species.get_el_amt_dict()) for site in structure]
    return crystal_structure(structure.lattice.matrix, species, structure.frac_coords)


def _first_line(error: ValueError) -> str:
    return clean_text(str(error).partition("\n")[0])[:100]


def read_poscar(text: str) -> Structure:
    """Read a POSCAR or CONTCAR of VASP 5 or 6, or one of VASP 4 that names the element behind each position.

    Lines: comment; scale, negative for a volume in Å³; three vectors (Å); elements; how many of each; "Selective
    dynamics" or nothing; "Direct" or "Cartesian"; positions. See https://www.vasp.at/wiki/POSCAR.

    Raises:
        BadRecord: a line is missing or not what it should be, or as `crystal_structure`.
    """
    _check_length(text)
    lines = [line.split() for line in text.splitlines()]
    lattice = array_of([line[:3] for line in lines[2:5]], "the lattice of the POSCAR", (3, 3))
    scale = _scale(lines[1], lattice)
    place = 5
    while place < len(lines) and lines[place] and not _is_integer(lines[place][0]):
        place += 1
    names = [name for line in lines[5:place] for name in line]
    first = place
    while place < len(lines) and lines[place] and _is_integer(lines[place][0]):
        place += 1
    counts = [count for line in lines[first:place] for count in line]
    if not counts or not all(_is_integer(count) for count in counts):
        raise BadRecord("the POSCAR does not say how many atoms there are")
    if place < len(lines) and lines[place] and lines[place][0][0] in "sS":
        place += 1
    cartesian = place < len(lines) and bool(lines[place]) and lines[place][0][0] in "cCkK"
    sites = lines[place + 1 : place + 1 + sum(map(int, counts))]
    if len(sites) < sum(map(int, counts)):
        raise BadRecord(f"the POSCAR has {len(sites)} of {sum(map(int, counts))} positions")
    symbols = _poscar_symbols(names, list(map(int, counts)), sites)
    coords = array_of([site[:3] for site in sites], "the list of positions of the POSCAR", (len(sites), 3))
    species = [{symbol: 1.0} for symbol in symbols]
    return crystal_structure(lattice * scale, species, coords * scale if cartesian else coords, cartesian)


def _scale(values: Sequence[str], lattice: np.ndarray) -> np.ndarray | float:
    """Return the factor of all coordinates, or one for each of x, y and z."""
    factors = array_of(values, "the scale of the POSCAR", (None,))
    if len(factors) == 3 and (factors > 0).all():
        return factors
    if len(factors) != 1 or factors[0] == 0:
        raise BadRecord(f"the scale of the POSCAR is {shortened(' '.join(values))}")
    factor = float(factors[0])
    volume = abs(float(np.linalg.det(lattice)))
    if factor > 0:
        return factor
    if volume == 0:
        raise BadRecord("the cell has no volume")
    return float((-factor / volume) ** (1 / 3))


def _poscar_symbols(names: Sequence[str], counts: Sequence[int], sites: Sequence[Sequence[str]]) -> list[str]:
    """Return one symbol per position; VASP 6 writes names such as `Mg_pv/f474ac0d`."""
    if not names:
        symbols = [next((word for word in site[3:] if Element.is_valid_symbol(word)), "") for site in sites]
        if not all(symbols):
            raise BadRecord("the POSCAR names no elements; add a line with them above the numbers of atoms")
        return symbols
    if len(names) != len(counts):
        raise BadRecord(f"the POSCAR has {len(names)} elements and {len(counts)} numbers of atoms")
    return [re.split("[_/]", name)[0] for name, count in zip(names, counts, strict=True) for _ in range(count)]


def _is_integer(word: str) -> bool:
    return word.isdecimal() and len(word) < 10


def read_extxyz(text: str) -> Structure:
    """Read one frame of an extended XYZ file: number of atoms, a line of `key=value`, one line per atom.

    `Lattice` holds the three vectors one behind the other (Å), `Properties` names the columns, of which `species` (or
    `Z`) and `pos` (Å) are read.

    Raises:
        BadRecord: no lattice, not periodic, a missing column or line, or as `crystal_structure`.
    """
    _check_length(text)
    lines = text.splitlines()
    if len(lines) < 2 or lines[0].strip() != str(len(lines) - 2):
        raise BadRecord(f"the frame of the XYZ file has {max(0, len(lines) - 2)} atoms, not {shortened(text[:10])}")
    keys = {key.lower(): value.strip("\"'{}[]") for key, value in _KEY_VALUE.findall(lines[1])}
    if "lattice" not in keys:
        raise BadRecord("the XYZ file has no Lattice; a crystal needs one")
    if any(axis.lower() in ("f", "false", "0") for axis in keys.get("pbc", "").replace(",", " ").split()):
        raise BadRecord(f"the structure is not periodic in three dimensions: pbc is {shortened(keys['pbc'])}")
    vectors = array_of(keys["lattice"].replace(",", " ").split(), "the lattice of the XYZ file", (9,))
    columns = _xyz_columns(keys.get("properties", "species:S:1:pos:R:3"))
    sites = [line.split() for line in lines[2:]]
    if "pos" not in columns or not columns.keys() & {"species", "z"}:
        raise BadRecord("the Properties of the XYZ file do not name species and pos")
    coords = array_of([site[columns["pos"]] for site in sites], "the list of positions", (len(sites), 3))
    species = [{_xyz_symbol(site, columns): 1.0} for site in sites]
    return crystal_structure(vectors.reshape(3, 3), species, coords, cartesian=True)


_KEY_VALUE = re.compile(r"""([\w-]+)\s*=\s*("[^"]*"|'[^']*'|\{[^}]*\}|\[[^]]*\]|\S+)""")


def _xyz_columns(properties: str) -> dict[str, slice]:
    """Return where each property stands in a line of atoms, by lower-case name."""
    words = properties.split(":")
    if len(words) % 3 or not all(_is_integer(width) for width in words[2::3]):
        raise BadRecord(f"the Properties of the XYZ file cannot be read: {shortened(properties)}")
    columns, start = {}, 0
    for name, width in zip(words[::3], map(int, words[2::3]), strict=True):
        columns[name.lower()] = slice(start, start + width)
        start += width
    return columns


def _xyz_symbol(site: Sequence[str], columns: Mapping[str, slice]) -> str:
    words = site[columns["species" if "species" in columns else "z"]]
    if len(words) != 1:
        raise BadRecord("a line of the XYZ file names no species")
    if not _is_integer(words[0]):
        return words[0]
    if not 0 < int(words[0]) <= 118:
        raise BadRecord(f"unknown atomic number {words[0]}")
    return str(Element.from_Z(int(words[0])).symbol)


def _check_length(text: str) -> None:
    if len(text) > LONGEST_TEXT:
        raise BadRecord(f"the structure has {len(text)} characters, more than {LONGEST_TEXT}")


READERS: Mapping[str, Callable[[str], Structure]] = {"cif": read_cif, "poscar": read_poscar, "extxyz": read_extxyz}
"""By format."""
