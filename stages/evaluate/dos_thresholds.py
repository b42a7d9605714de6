"""Below which share of its maximum a predicted density of states counts as zero."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from models import spectral_physics as physics
from stages.evaluate.spectra_metrics import Known, Spectra
from stages.shared.params import DosKindParams, EvaluateParams

Numbers = NDArray[np.float64]


def band_edge(dos: Spectra, known: Known, grid: Numbers, kind: DosKindParams, threshold: float) -> Numbers:
    """Return what depends on where a DOS is zero, (n,): the band gap, eV, or the highest frequency of phonons, cm⁻¹.

    Args:
        dos: (n, n_bins), zero where not known.
        known: (n, n_bins).
        grid: (n_bins,) eV or cm⁻¹.
        kind: its unit tells electrons from phonons.
        threshold: a DOS below this share of its maximum counts as zero.
    """
    if kind.unit == "eV":
        return physics.band_gap(grid, dos, known, threshold)
    return physics.maximum_frequency(grid, dos, threshold)


def choose_thresholds(
    true: Spectra,
    predictions: Mapping[str, Spectra],
    known: Known,
    grid: Numbers,
    kind: DosKindParams,
    params: EvaluateParams,
) -> dict[str, float]:
    """Return for each prediction the threshold whose band edges are nearest to those of the true spectra, in the mean.

    A model that is unsure of a band spreads it, and predicts few states where there are none: its gap closes under the
    threshold that suits true spectra. Each prediction, the baselines' too, has its own. Give crystals that are not
    tested on.

    Args:
        true: (n, n_bins) of the validation split; its edges are found with `params.zero_threshold`.
        predictions: (n, n_bins) each.
        known: (n, n_bins).
        grid: (n_bins,) eV or cm⁻¹.
        kind: the kind's recipe.
        params: the candidates.

    Returns:
        the lowest of equally good candidates, `params.zero_threshold` where no crystal has an edge.
    """
    edges = band_edge(np.where(known, true, 0.0), known, grid, kind, params.zero_threshold)

    def errors_of(spectra: Spectra, threshold: float) -> Numbers:
        return np.abs(band_edge(np.where(known, spectra, 0.0), known, grid, kind, threshold) - edges)

    return {
        name: _best(params, [errors_of(spectra, threshold) for threshold in params.predicted_zero_thresholds])
        for name, spectra in predictions.items()
    }


def _best(params: EvaluateParams, errors: Sequence[Numbers]) -> float:
    """Return the candidate with the smallest mean error over the crystals for which all candidates have one."""
    table = np.array(errors)  # (n_candidates, n)
    table = table[:, np.isfinite(table).all(axis=0)]
    if not table.size:
        return params.zero_threshold
    return params.predicted_zero_thresholds[int(table.mean(axis=1).argmin())]
