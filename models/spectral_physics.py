"""What a density of states says about its crystal: heat capacity, entropy, band gap and the like.

A batch of spectra is (n_spectra, n_bins) on an even grid, of any scale; a bin stands for the states around it. Numpy
in, numpy out.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

GAS_CONSTANT = 8.314462618
"""R = k_B N_A, J/(mol·K), exact in the SI of 2019."""

KELVIN_PER_WAVENUMBER = 1.438776877
"""h c / k_B, K per cm⁻¹, exact in the SI of 2019 but for rounding."""

_MODES_PER_ATOM = 3


def heat_capacity(frequency: ArrayLike, dos: ArrayLike, temperature: float) -> Array:
    r"""Harmonic heat capacity at constant volume of each phonon DOS, (n_spectra,), J/(mol·K) per mole of atoms.

    $$ C_V = 3R \left\langle \left( \frac{x/2}{\sinh(x/2)} \right)^2 \right\rangle, \qquad
       x = \frac{h c \tilde\nu}{k_B T} $$

    where the mean is over the modes. Three modes per atom are spread over the frequencies above zero as the DOS says;
    modes at or below zero, and those beyond the grid, are left out. Born and Huang, *Dynamical Theory of Crystal
    Lattices*, Oxford (1954), section 4.

    Args:
        frequency: (n_bins,) cm⁻¹.
        dos: (n_spectra, n_bins), any scale; negative values count as zero.
        temperature: K, above 0.

    Returns:
        (n_spectra,), NaN for a spectrum without any weight above zero frequency.
    """
    half = _reduced(frequency, temperature) / 2
    # x / sinh x without overflow: 2 x exp(-x) / (1 - exp(-2 x))
    return _mode_average(frequency, dos, (2 * half * np.exp(-half) / -np.expm1(-2 * half)) ** 2) * GAS_CONSTANT


def vibrational_entropy(frequency: ArrayLike, dos: ArrayLike, temperature: float) -> Array:
    r"""Harmonic vibrational entropy of each phonon DOS, (n_spectra,), J/(mol·K) per mole of atoms.

    $$ S = 3R \left\langle \frac{x}{e^x - 1} - \ln\!\left(1 - e^{-x}\right) \right\rangle $$

    Arguments, conventions and source as for `heat_capacity`.
    """
    x = _reduced(frequency, temperature)
    # x / (exp x - 1) without overflow
    entropy = x * np.exp(-x) / -np.expm1(-x) - np.log(-np.expm1(-x))
    return _mode_average(frequency, dos, entropy) * GAS_CONSTANT


def vibrational_free_energy(frequency: ArrayLike, dos: ArrayLike, temperature: float) -> Array:
    r"""Harmonic free energy of each phonon DOS with zero-point motion, (n_spectra,), kJ/mol per mole of atoms.

    $$ F = 3RT \left\langle \frac{x}{2} + \ln\!\left(1 - e^{-x}\right) \right\rangle $$

    Arguments, conventions and source as for `heat_capacity`.
    """
    x = _reduced(frequency, temperature)
    return _mode_average(frequency, dos, x / 2 + np.log(-np.expm1(-x))) * GAS_CONSTANT * temperature / 1000


def mean_frequency(frequency: ArrayLike, dos: ArrayLike) -> Array:
    """Mean frequency of the modes above zero of each phonon DOS, (n_spectra,), in the unit of `frequency`."""
    frequency = np.asarray(frequency, dtype=float)
    return _mode_average(frequency, dos, frequency[frequency > 0]) / _MODES_PER_ATOM


def maximum_frequency(frequency: ArrayLike, dos: ArrayLike, threshold: float) -> Array:
    """Highest frequency at which a DOS reaches `threshold` times its maximum, (n_spectra,), in the unit of `frequency`.

    A prediction is small but not zero where there are no modes, hence the threshold. NaN for a spectrum without any
    weight.
    """
    dos = np.asarray(dos, dtype=float)
    reached = dos >= threshold * dos.max(axis=-1, keepdims=True)
    last = dos.shape[-1] - 1 - reached[..., ::-1].argmax(axis=-1)
    return np.where(dos.max(axis=-1) > 0, np.asarray(frequency, dtype=float)[last], np.nan)


def dos_at_fermi_energy(energy: ArrayLike, dos: ArrayLike) -> Array:
    """Electron DOS at the Fermi energy, linear between bins, (n_spectra,), in the unit of `dos`; `energy` is in eV."""
    energy, dos = np.asarray(energy, dtype=float), np.asarray(dos, dtype=float)
    return np.array([np.interp(0.0, energy, spectrum) for spectrum in dos])


def states_below_fermi_energy(energy: ArrayLike, dos: ArrayLike) -> Array:
    """Sum of the electron DOS over the bins up to the Fermi energy, (n_spectra,), in the unit of `dos`.

    With states per atom in each bin these are the electrons per atom within the window. Half of a bin that lies at the
    Fermi energy counts.

    Args:
        energy: (n_bins,) eV relative to the Fermi energy.
        dos: (n_spectra, n_bins); negative values count as zero.
    """
    energy = np.asarray(energy, dtype=float)
    spacing = energy[1] - energy[0]
    occupied = np.clip(0.5 - energy / spacing, 0.0, 1.0)  # share of each bin below zero
    states: Array = np.clip(np.asarray(dos, dtype=float), 0.0, None) @ occupied
    return states


def band_gap(energy: ArrayLike, dos: ArrayLike, known: ArrayLike, threshold: float) -> Array:
    """Width of the interval around the Fermi energy in which the electron DOS is low, (n_spectra,), eV; 0 for a metal.

    Low is below `threshold` times the maximum; the ends of the interval are interpolated between bins. Where it runs
    into bins that are not known, the width is a lower bound.

    Args:
        energy: (n_bins,) eV relative to the Fermi energy.
        dos: (n_spectra, n_bins).
        known: (n_spectra, n_bins) bool; the bins known of a spectrum lie side by side.
        threshold: as a share of the maximum over known bins.
    """
    energy, known = np.asarray(energy, dtype=float), np.asarray(known)
    dos = np.where(known, np.asarray(dos, dtype=float), 0.0)
    return np.array(
        [
            _gap_of_one(energy[inside], spectrum[inside] - threshold * spectrum.max())
            for spectrum, inside in zip(dos, known, strict=True)
        ]
    )


def _gap_of_one(energy: Array, above: Array) -> float:
    """Width of the interval around zero energy in which `above`, DOS minus threshold, (n_known,), is negative."""
    low = np.concatenate([[False], above < 0, [False]])
    steps = np.diff(low.astype(int))
    firsts, lasts = np.flatnonzero(steps == 1).tolist(), (np.flatnonzero(steps == -1) - 1).tolist()
    for first, last in zip(firsts, lasts, strict=True):
        start, end = _crossing(energy, above, first, first - 1), _crossing(energy, above, last, last + 1)
        if start <= 0 <= end:
            return end - start
    return 0.0


def _crossing(energy: Array, above: Array, low: int, high: int) -> float:
    """Energy at which `above` is zero between a low bin and its neighbour, or of the low bin where the grid ends."""
    if not 0 <= high < len(energy):
        return float(energy[low])
    share = above[low] / (above[low] - above[high])
    return float(energy[low] + share * (energy[high] - energy[low]))


def _reduced(frequency: ArrayLike, temperature: float) -> Array:
    """Frequencies above zero in units of the temperature, x = h c ν / k_B T, (n_positive,)."""
    frequency = np.asarray(frequency, dtype=float)
    return KELVIN_PER_WAVENUMBER * frequency[frequency > 0] / temperature


def _mode_average(frequency: ArrayLike, dos: ArrayLike, values: Array) -> Array:
    """Sum of a function of the frequency, (n_positive,), over the three modes of an atom, (n_spectra,)."""
    positive = np.asarray(frequency, dtype=float) > 0
    weights = np.clip(np.asarray(dos, dtype=float)[..., positive], 0.0, None)
    total = weights.sum(axis=-1)
    average: Array = _MODES_PER_ATOM * (weights @ values) / np.where(total > 0, total, np.nan)
    return average
