"""Scores of predicted spectra: computed for each crystal over its known bins, then averaged over crystals.

The protocol of Lee et al., *Density of States Prediction of Crystalline Materials via Prompt-guided
Multi-Modal Transformer*, NeurIPS 2023, arXiv:2311.12856, section 5, with the Wasserstein distance added:
R² and MAE punish a peak that is right but one bin off as much as a missing one, the distance does not.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.spectra import Normalization, mae, mse, rescaled, rmse, spectrum_r2, wasserstein
from stages.evaluate.regression import finite_or_none

Spectra = NDArray[np.float64]
Known = NDArray[np.bool_]

RESCALINGS: tuple[Normalization, ...] = ("max", "sum")


@dataclass(frozen=True)
class SpectraErrors:
    """One score per crystal, each of shape (n,).

    Args:
        mae: mean over bins of |predicted − true|; of spectra with a maximum of 1 it is a fraction of the highest peak.
        mse: mean over bins of (predicted − true)².
        rmse: root of that.
        r2: 1 − Σ (predicted − true)² / Σ (true − mean of true)² over the bins of the crystal.
        wasserstein: distance of the two as distributions, in the unit of the grid.
    """

    mae: NDArray[np.float64]
    mse: NDArray[np.float64]
    rmse: NDArray[np.float64]
    r2: NDArray[np.float64]
    wasserstein: NDArray[np.float64]

    def take(self, rows: NDArray[np.intp]) -> "SpectraErrors":
        """Return the scores of some crystals."""
        return SpectraErrors(self.mae[rows], self.mse[rows], self.rmse[rows], self.r2[rows], self.wasserstein[rows])

    def means(self) -> dict[str, float | None]:
        """Return the mean of each score over the crystals and the fail rate, `None` where there is no crystal.

        The fail rate is the share of crystals with R² below 0: a constant spectrum would have been closer.
        """
        scores = {
            "mae": self.mae,
            "mse": self.mse,
            "rmse": self.rmse,
            "r2": self.r2,
            "wasserstein": self.wasserstein,
            "fail_rate": np.where(np.isfinite(self.r2), self.r2 < 0, np.nan),
        }
        return {name: finite_or_none(values.mean()) if len(values) else None for name, values in scores.items()}


def spectra_errors(true: Spectra, predicted: Spectra, known: Known, grid: NDArray[np.float64]) -> SpectraErrors:
    """Score every crystal's spectrum.

    Args:
        true: (n, n_bins).
        predicted: (n, n_bins), as the model gives it, not normalised again.
        known: (n, n_bins), the bins that count.
        grid: (n_bins,) evenly spaced, eV or cm⁻¹.
    """
    return SpectraErrors(
        mae=mae(true, predicted, known),
        mse=mse(true, predicted, known),
        rmse=rmse(true, predicted, known),
        r2=spectrum_r2(true, predicted, known),
        wasserstein=wasserstein(true, predicted, grid, known),
    )


def rescaled_errors(
    true: Spectra, predicted: Spectra, known: Known, grid: NDArray[np.float64], normalization: Normalization
) -> SpectraErrors:
    """Score the shapes alone: both spectra are first divided by their own maximum or sum, as Mat2Spec does."""
    # an undefined prediction must not pass for an empty one
    shape = np.where(np.isfinite(predicted), rescaled(predicted, normalization, known), np.nan)
    return spectra_errors(rescaled(true, normalization, known), shape, known, grid)
