"""Quantities that a density of states gives, from predicted against from true spectra of the same crystals."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models import spectral_physics as physics
from stages.evaluate.dos_thresholds import band_edge
from stages.evaluate.regression import finite_or_none
from stages.evaluate.spectra_metrics import Known, Spectra
from stages.shared.params import DosKindParams, EvaluateParams

Numbers = NDArray[np.float64]

SUM_RULE_TOLERANCE = 0.05


@dataclass(frozen=True)
class Quantity:
    """A number that follows from a spectrum.

    Args:
        label: in words, for a figure.
        unit: of the values.
        true: (n,) from the true spectra; NaN where a spectrum does not give it.
        predictions: (n,) from the spectra of each prediction.
    """

    label: str
    unit: str
    true: Numbers
    predictions: Mapping[str, Numbers]


class _Recipe(NamedTuple):
    label: str
    unit: str
    of_spectra: Callable[[Spectra], Numbers]


def physical_quantities(
    true: Spectra,
    predictions: Mapping[str, Spectra],
    known: Known,
    grid: Numbers,
    kind: DosKindParams,
    params: EvaluateParams,
    thresholds: Mapping[str, float],
) -> dict[str, Quantity]:
    """Return what the spectra of a kind give, by name: thermodynamics of phonons, or what is at the Fermi energy.

    Bins that are not known are left out of the predictions as well, so that both sides speak of the same states.

    Args:
        true: (n, n_bins), normalised as the kind wants.
        predictions: (n, n_bins) each, likewise.
        known: (n, n_bins).
        grid: (n_bins,) eV or cm⁻¹.
        kind: unit and normalisation of the spectra.
        params: temperature, and the share of its maximum below which a true DOS counts as zero.
        thresholds: that share for each prediction.
    """

    def compare(recipe: _Recipe) -> Quantity:
        values = {name: _of_known(spectra, known, recipe.of_spectra) for name, spectra in predictions.items()}
        return Quantity(recipe.label, recipe.unit, _of_known(true, known, recipe.of_spectra), values)

    def compare_edges(label: str) -> Quantity:
        def edge(threshold: float) -> Callable[[Spectra], Numbers]:
            return lambda dos: band_edge(dos, known, grid, kind, threshold)

        values = {name: _of_known(spectra, known, edge(thresholds[name])) for name, spectra in predictions.items()}
        return Quantity(label, kind.unit, _of_known(true, known, edge(params.zero_threshold)), values)

    if kind.unit == "eV":
        edges, recipes = {"band_gap": compare_edges("Band gap")}, _electron_recipes(grid, kind)
    else:
        edges = {"maximum_frequency": compare_edges("Highest frequency")}
        recipes = _phonon_recipes(grid, kind, params.temperature)
    return edges | {name: compare(recipe) for name, recipe in recipes.items()}


def _of_known(spectra: Spectra, known: Known, function: Callable[[Spectra], Numbers]) -> Numbers:
    """Apply a function to the known bins; a spectrum that is not finite gives nothing, and must not pass for empty."""
    undefined = ~np.isfinite(spectra.sum(axis=1))
    return np.where(undefined, np.nan, function(np.where(known, np.nan_to_num(spectra), 0.0)))


def _phonon_recipes(grid: Numbers, kind: DosKindParams, temperature: float) -> dict[str, _Recipe]:
    """Heat capacity, entropy, free energy and mean frequency; the number of modes where spectra have a scale."""
    at = f"at {temperature:g} K"
    recipes = {
        "heat_capacity": _Recipe(
            f"Heat capacity {at}", "J/(mol·K)", lambda dos: physics.heat_capacity(grid, dos, temperature)
        ),
        "entropy": _Recipe(
            f"Entropy {at}", "J/(mol·K)", lambda dos: physics.vibrational_entropy(grid, dos, temperature)
        ),
        "free_energy": _Recipe(
            f"Free energy {at}", "kJ/mol", lambda dos: physics.vibrational_free_energy(grid, dos, temperature)
        ),
        "mean_frequency": _Recipe("Mean frequency", kind.unit, lambda dos: physics.mean_frequency(grid, dos)),
    }
    if kind.normalization == "none":
        recipes["modes"] = _Recipe("Modes in the window", "1/atom", lambda dos: dos.sum(axis=1))
    return recipes


def _electron_recipes(grid: Numbers, kind: DosKindParams) -> dict[str, _Recipe]:
    """DOS at and states below the Fermi energy; the number of electrons where spectra have a scale."""
    spacing = grid[1] - grid[0]
    per_energy = {"max": "of the maximum", "sum": "1/eV", "none": "states/eV/atom"}[kind.normalization]
    width = 1.0 if kind.normalization == "max" else spacing

    def occupied_share(dos: Spectra) -> Numbers:
        total = dos.clip(min=0.0).sum(axis=1)
        return physics.states_below_fermi_energy(grid, dos) / np.where(total > 0, total, np.nan)

    recipes = {
        "dos_at_fermi_energy": _Recipe(
            "DOS at the Fermi energy", per_energy, lambda dos: physics.dos_at_fermi_energy(grid, dos) / width
        ),
        "occupied_share": _Recipe("Occupied share of the states", "", occupied_share),
    }
    if kind.normalization == "none":
        recipes["electrons"] = _Recipe(
            "Electrons in the window", "1/atom", lambda dos: physics.states_below_fermi_energy(grid, dos)
        )
    return recipes


def physics_metrics(quantities: Mapping[str, Quantity]) -> dict[str, dict[str, float | int | str | None]]:
    """Compare each quantity from predicted with that from true spectra.

    Returns:
        By name of the quantity `unit` (empty for a pure number), `n` crystals whose true spectrum gives it,
        `true_mean`, `true_std`, and `<prediction>_mae` of every prediction, all in that unit; null where not defined.
    """
    metrics: dict[str, dict[str, float | int | str | None]] = {}
    for name, quantity in quantities.items():
        given = np.isfinite(quantity.true)
        true = quantity.true[given]
        metrics[name] = {"unit": quantity.unit, "n": len(true), "true_mean": _mean(true)}
        metrics[name]["true_std"] = finite_or_none(true.std()) if len(true) else None
        for key, values in quantity.predictions.items():
            metrics[name][f"{key}_mae"] = _mean(np.abs(values[given] - true))
    return metrics


def sum_rule_metrics(delivered_states: Numbers, states_per_atom: float) -> dict[str, float | None]:
    """Check the spectra as delivered: how many states per atom they hold, and how many hold what they should.

    Args:
        delivered_states: (n,) states per atom.
        states_per_atom: as it should be, 3 for phonons.
    """
    off = np.abs(delivered_states / states_per_atom - 1)
    return {
        "expected_states_per_atom": states_per_atom,
        "delivered_states_per_atom": _mean(delivered_states),
        "share_within_5_percent": _mean((off <= SUM_RULE_TOLERANCE).astype(float)),
    }


def _mean(values: Numbers) -> float | None:
    return finite_or_none(values.mean()) if len(values) else None
