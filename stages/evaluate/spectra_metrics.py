"""Scores of predicted spectra: computed for each crystal over its bins, then averaged over crystals.

The protocol of Lee et al., *Density of States Prediction of Crystalline Materials via Prompt-guided
Multi-Modal Transformer*, NeurIPS 2023, arXiv:2311.12856, section 5, with the Wasserstein distance added:
R² and MAE punish a peak that is right but one bin off as much as a missing one, the distance does not.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.evaluate.regression import finite_or_none

Spectra = NDArray[np.float64]


@dataclass(frozen=True)
class SpectraErrors:
    """One score per crystal, each of shape (n,).

    Args:
        mae: mean over bins of |predicted − true|; spectra have a maximum of 1, so it is a fraction of
            the highest peak.
        rmse: root of the mean over bins of (predicted − true)².
        r2: 1 − Σ (predicted − true)² / Σ (true − mean of true)² over the bins of the crystal.
        wasserstein: distance of the two as distributions, in the unit of the grid.
    """

    mae: NDArray[np.float64]
    rmse: NDArray[np.float64]
    r2: NDArray[np.float64]
    wasserstein: NDArray[np.float64]

    def means(self) -> dict[str, float | None]:
        """Return the mean of each score over the crystals, `None` where there is no crystal."""
        scores = {
            "mae": self.mae,
            "rmse": self.rmse,
            "r2": self.r2,
            "wasserstein": self.wasserstein,
        }
        return {name: finite_or_none(values.mean()) if len(values) else None for name, values in scores.items()}


def spectra_errors(true: Spectra, predicted: Spectra, grid: NDArray[np.float64]) -> SpectraErrors:
    """Score every crystal's spectrum.

    Args:
        true: (n, n_bins), each row divided by its own maximum.
        predicted: (n, n_bins), as the model gives it, not normalised again.
        grid: (n_bins,) evenly spaced, eV or cm⁻¹.
    """
    error = predicted - true
    return SpectraErrors(
        mae=np.abs(error).mean(axis=1),
        rmse=np.sqrt(np.square(error).mean(axis=1)),
        r2=coefficient_of_determination(true, predicted),
        wasserstein=wasserstein_distance(true, predicted, grid),
    )


def coefficient_of_determination(true: Spectra, predicted: Spectra) -> NDArray[np.float64]:
    """Return R² of each row, (n,), as scikit-learn's `r2_score` does.

    A constant true spectrum gives 1 where the prediction is exact and 0 elsewhere.
    """
    residual = np.square(predicted - true).sum(axis=1)
    deviation = np.square(true - true.mean(axis=1, keepdims=True)).sum(axis=1)
    constant = deviation == 0
    r2 = 1.0 - residual / np.where(constant, 1.0, deviation)
    return np.where(constant, (residual == 0).astype(np.float64), r2)


def wasserstein_distance(true: Spectra, predicted: Spectra, grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the first Wasserstein distance of each pair of spectra, (n,), in the unit of the grid.

    Both are clipped at 0 and divided by their sum; on an even grid the distance is the area between
    the two cumulative sums. Where just one of them is empty it is the width of the grid, the largest
    there can be.
    """
    true_mass = np.clip(true, 0.0, None)
    predicted_mass = np.clip(predicted, 0.0, None)
    true_sum = true_mass.sum(axis=1, keepdims=True)
    predicted_sum = predicted_mass.sum(axis=1, keepdims=True)
    true_cumulative = np.cumsum(true_mass / np.where(true_sum > 0, true_sum, 1.0), axis=1)
    predicted_cumulative = np.cumsum(predicted_mass / np.where(predicted_sum > 0, predicted_sum, 1.0), axis=1)
    area = np.abs(true_cumulative - predicted_cumulative)[:, :-1] @ np.diff(grid)
    one_is_empty = (true_sum > 0)[:, 0] != (predicted_sum > 0)[:, 0]
    return np.where(one_is_empty, grid[-1] - grid[0], area)
