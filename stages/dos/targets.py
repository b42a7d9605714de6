"""From a density of states as delivered to the spectrum that is learned: smoothed, on the grid, peak at 1."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.spectra import covered, normalise_by_maximum, resample, savitzky_golay
from stages.shared.params import DosKindParams

_FINE_POINTS_PER_BIN = 10


def energy_grid(kind: DosKindParams) -> NDArray[np.float64]:
    """Return the bins of the grid, (bins,), in cm⁻¹ or in eV relative to the Fermi energy."""
    return np.linspace(kind.minimum, kind.maximum, kind.bins)


def spectrum_target(x: ArrayLike, y: ArrayLike, kind: DosKindParams) -> NDArray[np.float64] | None:
    """Return the spectrum on the grid divided by its maximum, (bins,); None where the window holds no states.

    The delivered spectrum is interpolated to ten points per bin, smoothed there with a Savitzky-Golay filter of
    `smoothing_width`, and read off at the bins, so that sources of different resolution come out alike and no peak is
    lost between two bins. What the filter makes negative is set to zero. Outside the delivered range the spectrum
    counts as zero; an electron DOS that ends below the window's upper edge therefore has no states there. At its two
    ends the filter sees the last value go on, so that a range cut off where there are states is not bent down.

    Args:
        x: increasing frequencies (cm⁻¹) or energies (eV).
        y: densities at `x`, any scale.
        kind: the grid and the filter.
    """
    spacing = (kind.maximum - kind.minimum) / (kind.bins - 1) / _FINE_POINTS_PER_BIN
    half_window = max(round(kind.smoothing_width / 2 / spacing), kind.smoothing_order // 2 + 1)
    n_points = (kind.bins - 1) * _FINE_POINTS_PER_BIN + 1
    # half a window more on each side, so that the filter sees both sides of the outermost bins
    fine = kind.minimum + spacing * np.arange(-half_window, n_points + half_window)
    extended = resample(x, y, fine.clip(np.min(x), np.max(x)))
    smooth = savitzky_golay(extended, 2 * half_window + 1, kind.smoothing_order)
    at_bins = smooth[half_window:][:n_points:_FINE_POINTS_PER_BIN]
    at_bins = np.where(covered(x, energy_grid(kind)), at_bins, 0.0)
    spectrum, maximum = normalise_by_maximum(at_bins.clip(min=0.0))
    return spectrum if maximum > 0 else None
