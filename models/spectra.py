"""Spectra on a fixed grid: preparation of targets and scores of predictions.

Everything here is numpy in, numpy out; a batch of spectra is (n_spectra, n_bins). A score looks only at the bins that
are `known`, (n_spectra, n_bins) bool, or at all where that is left out.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Normalization = Literal["max", "sum", "none"]


def resample(x: ArrayLike, y: ArrayLike, grid: ArrayLike) -> Array:
    """Interpolate a spectrum linearly; zero outside the range of `x` (see `covered`).

    Args:
        x: (n,) increasing, in the units of the grid.
        y: (n,) spectrum at `x`.
        grid: (n_bins,) where it is wanted.

    Returns:
        (n_bins,) spectrum on the grid.

    Raises:
        ValueError: `x` is empty, does not increase, or does not fit `y`.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if len(x) == 0 or x.shape != y.shape or np.any(np.diff(x) <= 0):
        raise ValueError("a spectrum needs as many values as abscissae, and those must increase")
    return np.interp(np.asarray(grid, dtype=float), x, y, left=0.0, right=0.0)


def covered(x: ArrayLike, grid: ArrayLike) -> NDArray[np.bool_]:
    """Tell which bins of the grid lie within the range of `x`; `resample` fills the others with zero.

    A phonon DOS ends at the highest frequency, where zero is the truth; an electron DOS that ends inside the window was
    cut off there, and its zeros are not data.
    """
    x, grid = np.asarray(x, dtype=float), np.asarray(grid, dtype=float)
    return (grid >= x.min()) & (grid <= x.max())


def savitzky_golay(y: ArrayLike, window: int, order: int) -> Array:
    """Smooth spectra (..., n_bins) by a running polynomial fit; may dip below zero beside a sharp peak.

    Savitzky and Golay, *Anal. Chem.* 36, 1627 (1964), doi:10.1021/ac60214a047. The ends are fitted by the polynomial of
    the last full window.

    Args:
        y: (..., n_bins).
        window: bins in the fit, odd, larger than `order` and at most n_bins.
        order: degree of the polynomial.

    Raises:
        ValueError: the window is even, too short or too long.
    """
    from scipy.signal import savgol_filter

    y = np.asarray(y, dtype=float)
    if window % 2 == 0 or not order < window <= y.shape[-1]:
        raise ValueError(f"window = {window} must be odd, larger than order = {order} and at most {y.shape[-1]}")
    smooth: Array = savgol_filter(y, window, order, mode="interp")
    return smooth


def normalise(y: ArrayLike, normalization: Normalization) -> tuple[Array, float]:
    """Return the spectrum (n_bins,) in units of its maximum or its sum, and that unit.

    With `none` the unit is 1. A spectrum that is nowhere positive is returned as zeros with unit 0.
    """
    y = np.asarray(y, dtype=float)
    if y.max() <= 0:
        return np.zeros_like(y), 0.0
    unit = {"max": float(y.max()), "sum": float(y.sum()), "none": 1.0}[normalization]
    return y / unit, unit


def rescaled(spectra: ArrayLike, normalization: Normalization, known: ArrayLike = True) -> Array:
    """Divide each spectrum by the maximum or the sum of its known bins, as Mat2Spec does before it scores.

    Kong, Ricci, Guevarra, Neaton, Gomes, Gregoire, *Density of states prediction for materials discovery via
    contrastive learning from probabilistic embeddings*, Nat. Commun. 13, 949 (2022), doi:10.1038/s41467-022-28543-x.

    Args:
        spectra: (n_spectra, n_bins); negative values count as zero.
        normalization: `max` or `sum`; `none` changes nothing else.
        known: (n_spectra, n_bins) bool.

    Returns:
        (n_spectra, n_bins), zero in bins that are not known and for a spectrum without any weight.
    """
    weights = np.where(known, np.clip(np.asarray(spectra, dtype=float), 0.0, None), 0.0)
    if normalization == "none":
        return weights
    unit = weights.max(axis=-1, keepdims=True) if normalization == "max" else weights.sum(axis=-1, keepdims=True)
    return weights / np.where(unit > 0, unit, 1.0)


def mae(true: ArrayLike, predicted: ArrayLike, known: ArrayLike = True) -> Array:
    """Mean absolute error of each spectrum: (n_spectra, n_bins) twice to (n_spectra,)."""
    return _mean(np.abs(np.subtract(predicted, true)), known)


def mse(true: ArrayLike, predicted: ArrayLike, known: ArrayLike = True) -> Array:
    """Mean squared error of each spectrum: (n_spectra, n_bins) twice to (n_spectra,)."""
    return _mean(np.square(np.subtract(predicted, true)), known)


def rmse(true: ArrayLike, predicted: ArrayLike, known: ArrayLike = True) -> Array:
    """Root mean squared error of each spectrum: (n_spectra, n_bins) twice to (n_spectra,)."""
    return np.sqrt(mse(true, predicted, known))


def spectrum_r2(true: ArrayLike, predicted: ArrayLike, known: ArrayLike = True) -> Array:
    r"""Coefficient of determination of each spectrum over its own known bins.

    $$ R^2 = 1 - \sum_m (y_m - \hat y_m)^2 / \sum_m (y_m - \bar y)^2 $$

    A constant true spectrum scores 1 if it is predicted exactly and 0 otherwise, as in scikit-learn.

    Args:
        true: (n_spectra, n_bins).
        predicted: (n_spectra, n_bins).
        known: (n_spectra, n_bins) bool, at least one bin of each spectrum.

    Returns:
        (n_spectra,).
    """
    true = np.asarray(true, dtype=float)
    residual = mse(true, predicted, known)
    lowest = np.where(known, true, np.inf).min(axis=-1)
    highest = np.where(known, true, -np.inf).max(axis=-1)
    constant = lowest == highest
    deviation = _mean(np.square(true - _mean(true, known)[..., None]), known)
    r2 = 1.0 - residual / np.where(constant, 1.0, deviation)
    return np.where(constant, np.where(residual == 0, 1.0, 0.0), r2)


def wasserstein(true: ArrayLike, predicted: ArrayLike, grid: ArrayLike, known: ArrayLike = True) -> Array:
    r"""Distance that the weight of one spectrum must move to become the other, each with unit total weight.

    $$ W_1 = \int \left| F(x) - \hat F(x) \right| \mathrm dx $$

    with cumulative sums $F$ over the bins. Negative values count as zero. Where just one of the two has no weight, it
    is the width of the grid, the largest there can be.

    Args:
        true: (n_spectra, n_bins).
        predicted: (n_spectra, n_bins).
        grid: (n_bins,) increasing.
        known: (n_spectra, n_bins) bool.

    Returns:
        (n_spectra,) in the units of the grid.
    """
    grid = np.asarray(grid, dtype=float)
    true, predicted = rescaled(true, "sum", known), rescaled(predicted, "sum", known)
    difference = np.cumsum(true, axis=-1) - np.cumsum(predicted, axis=-1)
    distance = (np.abs(difference[..., :-1]) * np.diff(grid)).sum(axis=-1)
    one_is_empty = true.any(axis=-1) != predicted.any(axis=-1)
    return np.where(one_is_empty, grid[-1] - grid[0], distance)


def _mean(values: Array, known: ArrayLike) -> Array:
    """Return the mean over the known bins, (n_spectra,)."""
    mean: Array = np.mean(values, axis=-1, where=np.broadcast_to(np.asarray(known), values.shape))
    return mean
