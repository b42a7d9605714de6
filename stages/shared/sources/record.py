"""What the parsers of all sources have in common: a raw row, the crystal it stands for, and the reasons against it."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Composition, Element, Lattice, Structure

MISSING_TEXTS = frozenset({"", "na", "nan", "none", "null"})
"""How sources spell a missing value where they write text; compared in lower case."""

_T = TypeVar("_T")

LARGEST_NUMBER = 1e30
"""Whatever is larger is no measurement in any unit, and would be infinite as a 32-bit number."""


class BadRecord(ValueError):
    """A raw row that is no usable crystal; the message says why, for a person to act on.

    `source_id` is the row's own id where the row got far enough to tell it.
    """

    def __init__(self, reason: str, source_id: str | None = None) -> None:
        super().__init__(reason)
        self.source_id = source_id


@dataclass(frozen=True)
class Reject:
    """One raw row that did not become (part of) a crystal."""

    source: str
    source_id: str
    reason: str


@dataclass(frozen=True)
class RawRow:
    """One raw row, or the rows of several files that tell of one crystal, as the source wrote them.

    `parts` holds one entry per file, by the file's stem; its length is the number of raw rows this stands for.
    """

    source: str
    source_id: str
    parts: Mapping[str, Any]


@dataclass(frozen=True)
class Spectrum:
    """A density of states: `x` (n_points,) strictly increasing, `density` (n_points,) per unit of `x` and cell."""

    x: NDArray[np.float64]
    density: NDArray[np.float64]


@dataclass(frozen=True)
class CrystalRecord:
    """A crystal as its source describes it, in our names and units.

    `source_id` is the id the source gives it. `properties` has the keys of `stages.shared.schemas.SCALAR_PROPERTIES`,
    and in records of `own` further ones; `edos` is on E − E_F in eV, `phdos` on cm⁻¹, and `edos_projected` and
    `phdos_projected` are their parts by element, at the same abscissae; `questions` has statements of which the first
    is true, by the name of the question; `notes` says what the source delivered but could not be used.
    """

    source_id: str
    structure: Structure
    properties: Mapping[str, float | None] = field(default_factory=dict)
    edos: Spectrum | None = None
    edos_projected: Mapping[str, NDArray[np.float64]] | None = None
    phdos: Spectrum | None = None
    phdos_projected: Mapping[str, NDArray[np.float64]] | None = None
    description: str | None = None
    narrative: str | None = None
    explanation: str | None = None
    questions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Fields:
    """Reads the fields of one raw mapping, collecting a note for each value that is there but unusable."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.notes: list[str] = []

    def number(self, *names: str) -> float | None:
        """Return the first of the named fields that holds a finite number, else None."""
        for name in names:
            value = self.values.get(name)
            if is_missing(value):
                continue
            number = finite_number(value)
            if number is not None:
                return number
            self.notes.append(f"{name} is not a number: {shortened(value)}")
        return None

    def text(self, *names: str) -> str | None:
        """Return the first of the named fields that holds text, stripped, else None."""
        for name in names:
            value = self.values.get(name)
            if is_missing(value):
                continue
            if isinstance(value, str):
                return clean_text(value)
            self.notes.append(f"{name} is not text: {shortened(value)}")
        return None

    def parsed(self, name: str, read: Callable[[Any], _T]) -> _T | None:
        """Return what `read` makes of a field, None where the field is missing or `read` raises `BadRecord`."""
        value = self.values.get(name)
        if is_missing(value):
            return None
        try:
            return read(value)
        except BadRecord as error:
            self.notes.append(str(error))
            return None


def is_missing(value: Any) -> bool:
    """Tell whether a source means "unknown": null, NaN, or one of the words in `MISSING_TEXTS`."""
    if isinstance(value, str):
        return value.strip().lower() in MISSING_TEXTS
    return value is None or (isinstance(value, float) and math.isnan(value))


def finite_number(value: Any) -> float | None:
    """Return a number, or text that spells one, as a float; None for anything else and for absurd sizes."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < LARGEST_NUMBER else None


def clean_text(value: str) -> str:
    """Strip text and replace what UTF-8 cannot carry (lone surrogates)."""
    return value.strip().encode("utf-8", errors="replace").decode("utf-8")


def shortened(value: Any) -> str:
    """Quote a raw value for a reason, at most 40 characters."""
    text = clean_text(repr(value))
    return text if len(text) <= 40 else text[:37] + "..."


def array_of(value: Any, what: str, shape: tuple[int | None, ...]) -> NDArray[np.float64]:
    """Return nested lists as a finite float array of the given shape, None standing for any length.

    Raises:
        BadRecord: missing, ragged, of another shape, or not made of sane numbers; `what` names it.
    """
    if value is None or isinstance(value, str | bytes | Mapping):
        raise BadRecord(f"{what} is missing or no list of numbers")
    try:
        array = np.asarray(value, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        raise BadRecord(f"{what} is no list of numbers") from None
    fits = len(array.shape) == len(shape) and all(
        wanted in (None, found) for wanted, found in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted_shape = " x ".join("n" if length is None else str(length) for length in shape)
        raise BadRecord(f"{what} has shape {array.shape}, not {wanted_shape}")
    if not (np.abs(array) < LARGEST_NUMBER).all():
        raise BadRecord(f"{what} holds a number that is not finite or absurdly large")
    return array


def spectrum_of(x: Any, density: Any, what: str) -> Spectrum:
    """Build a spectrum from two equally long lists.

    Raises:
        BadRecord: not finite, fewer than two points, lengths differ, `x` not strictly increasing, or zero everywhere.
    """
    x_array = array_of(x, f"the axis of the {what}", (None,))
    density_array = array_of(density, f"the {what}", (None,))
    if len(x_array) != len(density_array) or len(x_array) < 2:
        raise BadRecord(f"the {what} has {len(density_array)} values on {len(x_array)} points")
    if not (np.diff(x_array) > 0).all():
        raise BadRecord(f"the axis of the {what} does not increase")
    if not density_array.any():
        raise BadRecord(f"the {what} is zero everywhere")
    return Spectrum(x_array, density_array)


def crystal_structure(
    lattice: Any, species: Sequence[Mapping[str, float]], coords: Any, cartesian: bool = False
) -> Structure:
    """Build a structure from a source's numbers.

    Args:
        lattice: (3, 3) nested list, rows are vectors, Å.
        species: per site, occupancy by element symbol; "D" and "T" are hydrogen isotopes.
        coords: (n_sites, 3) nested list, fractional or cartesian (Å).
        cartesian: how to read `coords`.

    Raises:
        BadRecord: an unknown element, an occupancy outside (0, 1], numbers missing or not finite, zero volume, or no
        site.
    """
    matrix = array_of(lattice, "the lattice", (3, 3))
    if not species:
        raise BadRecord("the structure has no atoms")
    positions = array_of(coords, "the list of coordinates", (len(species), 3))
    if abs(np.linalg.det(matrix)) < 1e-6:
        raise BadRecord("the cell has no volume")
    return Structure(
        Lattice(matrix),
        [_composition(site) for site in species],
        positions,
        coords_are_cartesian=cartesian,
    )


def _composition(site: Mapping[str, float]) -> Composition:
    for symbol in site:
        if not isinstance(symbol, str) or not Element.is_valid_symbol(symbol):
            raise BadRecord(f"unknown element {shortened(symbol)}")
    for symbol, occupancy in site.items():
        if not 0 < occupancy <= 1:
            raise BadRecord(f"occupancy {occupancy:g} of {symbol} is not within 0 and 1")
    if not 0 < sum(site.values()) <= 1 + 1e-4:
        raise BadRecord(f"the occupancies of a site add up to {sum(site.values()):g}")
    total = sum(site.values())
    # readers of CIF refuse a sum above one, be it by rounding
    scale = 1.0 if total <= 1.0 else total * (1 + 1e-12)
    return Composition({symbol: occupancy / scale for symbol, occupancy in site.items()})


def per_formula_unit(value: float | None, structure: Structure) -> float | None:
    """Turn an amount per cell into one per reduced formula unit."""
    return None if value is None else value / formula_and_units(structure.composition)[1]


def formula_and_units(composition: Composition) -> tuple[str, float]:
    """Return the reduced formula and how many of it a cell holds.

    Partial occupancies are brought to whole numbers, so that the formula is the same for every cell of a crystal.
    """
    if all(abs(amount - round(amount)) < Composition.amount_tolerance for amount in composition.values()):
        return composition.get_reduced_formula_and_factor()
    return composition.get_integer_formula_and_factor()


def jarvis_structure(atoms: Any) -> Structure:
    """Read the dictionary in which JARVIS, and the narrative corpora made with its tools, keep a structure.

    `lattice_mat` (3, 3) in Å, `coords` (n_sites, 3) fractional unless `cartesian`, `elements` n_sites symbols, which
    may carry blanks.

    Raises:
        BadRecord: as `crystal_structure`, or the dictionary is missing or has no elements.
    """
    if not isinstance(atoms, Mapping):
        raise BadRecord("the record has no structure")
    elements = atoms.get("elements")
    if not isinstance(elements, list) or not all(isinstance(symbol, str) for symbol in elements):
        raise BadRecord("the structure has no list of elements")
    species = [{symbol.strip(): 1.0} for symbol in elements]
    cartesian = atoms.get("cartesian", False) is True
    return crystal_structure(atoms.get("lattice_mat"), species, atoms.get("coords"), cartesian)
