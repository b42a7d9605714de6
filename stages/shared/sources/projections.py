"""Densities of states by element: read beside the total one, and kept where they fit it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from stages.shared.sources.record import BadRecord, Spectrum, array_of, shortened

Projections = dict[str, NDArray[np.float64]]
"""By the symbol of an element, in the order of the symbols, (n_points,) at the abscissae of the total."""

TOLERANCE = 0.1
"""Share of the states by which the sum of projections may differ from the total: sources round, smooth and clip."""


def projections_of(
    value: Any, total: Spectrum, structure: Structure, what: str, *, partial: bool = False
) -> Projections | None:
    """Read the densities of all elements of a crystal; None where there is none.

    Args:
        value: (n_points,) list by symbol; a list of pairs, as which maps come out of parquet, is read too.
        total: of the crystal, in the same unit.
        structure: tells the elements.
        what: name of the spectrum in the reasons.
        partial: they may add up to less than the total, as those of electrons do: spheres around the atoms do not fill
            the cell.

    Raises:
        BadRecord: no lists by symbol, other elements than the structure has, another number of points than the total,
            numbers that are negative or not finite, or a sum that differs from the total by more than `TOLERANCE`.
    """
    projections = _read(value, total, structure, what)
    if projections is not None:
        _require_sum(projections, total, what, partial)
    return projections


def normalised_projections_of(value: Any, total: Spectrum, structure: Structure, what: str) -> Projections | None:
    """Read densities that a source has normalised one by one, scaled so that together they come closest to the total.

    The weights w ≥ 0 minimise |Σₑ wₑ pₑ − g|² over the points for the densities p and the total g (Lawson and Hanson,
    *Solving Least Squares Problems*, chapter 23, doi 10.1137/1.9781611971217).

    Args:
        value: as for `projections_of`, each in a unit of its own.
        total: of the crystal.
        structure: tells the elements.
        what: name of the spectrum in the reasons.

    Raises:
        BadRecord: as `projections_of`; or two densities are alike, or one is zero, so that there are many answers.
    """
    shapes = _read(value, total, structure, what)
    if shapes is None:
        return None
    projections = _weigh(shapes, total, what)
    _require_sum(projections, total, what, partial=False)
    return projections


def _read(value: Any, total: Spectrum, structure: Structure, what: str) -> Projections | None:
    if isinstance(value, list) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in value):
        value = dict(value)
    if not isinstance(value, Mapping):
        raise BadRecord(f"the {what} by element is no list by symbol")
    given = {symbol: density for symbol, density in value.items() if density is not None}
    if not given:
        return None
    elements = sorted({element.symbol for element in structure.composition.elements})
    if set(given) != set(elements):
        raise BadRecord(f"the {what} by element has {shortened(list(given))}, the structure {', '.join(elements)}")
    densities = {symbol: array_of(given[symbol], f"the {what} of {symbol}", total.x.shape) for symbol in elements}
    for symbol, density in densities.items():
        if (density < 0).any():
            raise BadRecord(f"the {what} of {symbol} is negative somewhere")
    return densities


def _weigh(shapes: Projections, total: Spectrum, what: str) -> Projections:
    from scipy.optimize import nnls  # takes half a second to import, which most runs need not pay

    columns = np.stack(list(shapes.values()), axis=1)  # (n_points, n_elements)
    if np.linalg.matrix_rank(columns) < len(shapes):
        raise BadRecord(f"the {what} by element cannot be weighed: two elements have the same, or one has none")
    try:
        weights, _ = nnls(columns, total.density)
    except RuntimeError:  # no convergence
        raise BadRecord(f"the {what} by element cannot be weighed to give the total") from None
    return {symbol: weight * shape for weight, (symbol, shape) in zip(weights, shapes.items(), strict=True)}


def _require_sum(projections: Projections, total: Spectrum, what: str, partial: bool) -> None:
    difference = np.sum(list(projections.values()), axis=0) - total.density
    misfit = difference.clip(min=0.0) if partial else np.abs(difference)
    states = np.trapezoid(np.abs(total.density), total.x)
    if not np.trapezoid(misfit, total.x) <= TOLERANCE * states:
        raise BadRecord(f"the {what} by element does not add up to the total")
