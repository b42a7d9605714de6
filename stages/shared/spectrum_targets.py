"""From a density of states as delivered to the spectrum that is learned: the recipe of `dos_kinds` in params.yaml."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.spectra import covered, normalise, resample, savitzky_golay
from stages.shared.params import DosKindParams

_FINE_POINTS_PER_BIN = 10


@dataclass(frozen=True)
class SpectrumTarget:
    """One crystal's spectrum on the grid; `spectrum · scale` is the number of states per atom in each bin.

    Attributes:
        spectrum: (bins,) not negative, zero in bins that are not known.
        known: (bins,) False where the source does not say whether there are states.
        scale: what the spectrum was divided by, states per atom in a bin.
        delivered_states: integral of the spectrum as delivered, over all its range, states per atom; 3 for phonons.
    """

    spectrum: NDArray[np.float64]
    known: NDArray[np.bool_]
    scale: float
    delivered_states: float


def energy_grid(kind: DosKindParams) -> NDArray[np.float64]:
    """Return the bins of the grid, (bins,), in cm⁻¹ or in eV relative to the Fermi energy."""
    return np.linspace(kind.minimum, kind.maximum, kind.bins)


def spectrum_target(x: ArrayLike, y: ArrayLike, n_atoms: int, kind: DosKindParams) -> SpectrumTarget | None:
    """Return the spectrum on the grid; None where the window holds no states.

    1. Crop to the window of the grid, and half a filter more on each side.
    2. Interpolate linearly to ten points per bin, so that sources of different resolution come out alike and no peak
       is lost between two bins. At its two ends the delivered range goes on with its last value, so that the filter
       does not bend down a range cut off where there are states.
    3. Smooth with a Savitzky-Golay filter of `smoothing_width` and `smoothing_order` and read the bins off.
    4. Set bins outside the delivered range to zero. With `beyond: zero` that is the truth, as above the highest phonon
       frequency; with `beyond: unknown` the bins are marked as not known. Set to zero what the filter made negative,
       and scale the rest so that there are as many states in the window as before smoothing.
    5. Scale the integral over all that was delivered to `states_per_atom`, where that is given: 3 modes for phonons.
    6. Normalise: by the `max` or the `sum` of the known bins, or not (`none`), which leaves states per atom in a bin.

    Args:
        x: increasing frequencies (cm⁻¹) or energies (eV).
        y: densities at `x`, states per unit of `x` and cell.
        n_atoms: atoms in that cell.
        kind: the recipe.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    within = covered(x, energy_grid(kind))
    delivered_states = float(np.trapezoid(y, x)) / n_atoms
    smooth = np.where(within, _smoothed(x, y, kind), 0.0).clip(min=0.0)
    states = smooth * (_states_in_window(x, y, kind) / n_atoms / max(smooth.sum(), np.finfo(np.float64).tiny))
    if kind.states_per_atom is not None and delivered_states > 0:
        states = states * (kind.states_per_atom / delivered_states)
    spectrum, scale = normalise(states, kind.normalization)
    if scale == 0:
        return None
    known = within if kind.beyond == "unknown" else np.ones_like(within)
    return SpectrumTarget(spectrum, known, scale, delivered_states)


def _smoothed(x: NDArray[np.float64], y: NDArray[np.float64], kind: DosKindParams) -> NDArray[np.float64]:
    """Return the smoothed spectrum at the bins, (bins,), in the unit of `y`; it may be negative beside a sharp peak."""
    spacing = (kind.maximum - kind.minimum) / (kind.bins - 1) / _FINE_POINTS_PER_BIN
    half_window = max(round(kind.smoothing_width / 2 / spacing), kind.smoothing_order // 2 + 1)
    n_points = (kind.bins - 1) * _FINE_POINTS_PER_BIN + 1
    # half a window more on each side, so that the filter sees both sides of the outermost bins
    fine = kind.minimum + spacing * np.arange(-half_window, n_points + half_window)
    extended = resample(x, y, fine.clip(np.min(x), np.max(x)))
    smooth = savitzky_golay(extended, 2 * half_window + 1, kind.smoothing_order)
    return smooth[half_window:][:n_points:_FINE_POINTS_PER_BIN]


def _states_in_window(x: NDArray[np.float64], y: NDArray[np.float64], kind: DosKindParams) -> float:
    """Return the integral of the delivered spectrum from half a bin below to half a bin above the grid, states/cell."""
    half_bin = (kind.maximum - kind.minimum) / (kind.bins - 1) / 2
    below = np.concatenate([[0.0], np.cumsum(np.diff(x) * (y[1:] + y[:-1]) / 2)])
    low, high = np.interp([kind.minimum - half_bin, kind.maximum + half_bin], x, below)
    return max(float(high - low), 0.0)
