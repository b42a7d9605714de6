"""Spectra on a fixed grid: preparation of targets and scores of predictions.

Everything here is numpy in, numpy out; a batch of spectra is (n_spectra, n_bins).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

# 1 THz / c in cm⁻¹, with c = 299 792 458 m/s
THZ_TO_WAVENUMBER = 1e12 / 299_792_458 / 100


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


def normalise_by_maximum(y: ArrayLike) -> tuple[Array, float]:
    """Return the spectrum (n_bins,) in units of its maximum, and that maximum.

    A spectrum that is nowhere positive is returned as zeros with maximum 0.
    """
    y = np.asarray(y, dtype=float)
    maximum = float(y.max())
    return (y / maximum, maximum) if maximum > 0 else (np.zeros_like(y), 0.0)


def mae(true: ArrayLike, predicted: ArrayLike) -> Array:
    """Mean absolute error of each spectrum: (n_spectra, n_bins) twice to (n_spectra,)."""
    return np.abs(np.subtract(predicted, true)).mean(axis=-1)


def rmse(true: ArrayLike, predicted: ArrayLike) -> Array:
    """Root mean squared error of each spectrum: (n_spectra, n_bins) twice to (n_spectra,)."""
    return np.sqrt(np.square(np.subtract(predicted, true)).mean(axis=-1))


def spectrum_r2(true: ArrayLike, predicted: ArrayLike) -> Array:
    r"""Coefficient of determination of each spectrum over its own bins.

    $$ R^2 = 1 - \sum_m (y_m - \hat y_m)^2 / \sum_m (y_m - \bar y)^2 $$

    A constant true spectrum scores 1 if it is predicted exactly and 0 otherwise, as in scikit-learn.

    Args:
        true: (n_spectra, n_bins).
        predicted: (n_spectra, n_bins).

    Returns:
        (n_spectra,).
    """
    true, predicted = np.asarray(true, dtype=float), np.asarray(predicted, dtype=float)
    residual = np.square(true - predicted).sum(axis=-1)
    total = np.square(true - true.mean(axis=-1, keepdims=True)).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        r2 = 1.0 - residual / total
    constant = np.where(residual == 0, 1.0, 0.0)
    return np.where(np.ptp(true, axis=-1) == 0, constant, r2)


def wasserstein(true: ArrayLike, predicted: ArrayLike, grid: ArrayLike) -> Array:
    r"""Distance that the weight of one spectrum must move to become the other, each with unit total weight.

    $$ W_1 = \int \left| F(x) - \hat F(x) \right| \mathrm dx $$

    with cumulative sums $F$ over the bins. Negative values count as zero. NaN where either spectrum has no weight.

    Args:
        true: (n_spectra, n_bins).
        predicted: (n_spectra, n_bins).
        grid: (n_bins,) increasing.

    Returns:
        (n_spectra,) in the units of the grid.
    """
    difference = _cumulative(true) - _cumulative(predicted)
    return (np.abs(difference[..., :-1]) * np.diff(np.asarray(grid, dtype=float))).sum(axis=-1)


def _cumulative(spectra: ArrayLike) -> Array:
    weights = np.clip(np.asarray(spectra, dtype=float), 0.0, None)
    total = weights.sum(axis=-1, keepdims=True)
    return np.cumsum(weights, axis=-1) / np.where(total > 0, total, np.nan)
