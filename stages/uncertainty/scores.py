"""What the spread of several answers is worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.spectra import rmse, spectrum_r2
from models.uncertainty import conformal_factor, coverage, sparsification_error, spread
from stages.shared.spectra import CrystalSpectra
from stages.uncertainty.members import Members

Array = NDArray[np.float64]
LEVELS = {"68": 0.683, "95": 0.95}
"""Shares of a normal distribution within one and within 1.96 standard deviations."""
DEVIATIONS = {"68": 1.0, "95": 1.96}


@dataclass(frozen=True)
class Answers:
    """The mean answer of one method to the test crystals, and how far to trust it.

    Attributes:
        true: (n, n_bins).
        mean: (n, n_bins) over the members.
        deviation: (n, n_bins) over the members, as it comes.
        factors: for each of `LEVELS` what val says the deviation is to be multiplied with.
        known: (n, n_bins) bool.
    """

    true: Array
    mean: Array
    deviation: Array
    factors: Mapping[str, float]
    known: NDArray[np.bool_]

    @property
    def error(self) -> Array:
        """Root mean squared error of each crystal, (n,)."""
        return rmse(self.true, self.mean, self.known)

    @property
    def doubt(self) -> Array:
        """Root mean square of the deviations of each crystal, (n,)."""
        return rmse(np.zeros_like(self.deviation), self.deviation, self.known)


def by_method(members: Members, examples: CrystalSpectra) -> dict[str, Answers]:
    """Return the answers of `ensemble` and `dropout` to the test crystals, their factors from the val crystals."""
    everything = np.arange(len(examples))
    true, known = examples.spectrum(everything).astype(np.float64), examples.known(everything)
    val, test = examples.graphs.splits == "val", examples.graphs.splits == "test"
    answers = {}
    for name, spectra in (("ensemble", members.ensemble), ("dropout", members.dropout)):
        mean, deviation = spectra.mean(axis=0), spread(spectra)
        on_val = ((true - mean)[val], deviation[val], known[val])
        factors = {level: conformal_factor(*on_val, share) for level, share in LEVELS.items()}
        answers[name] = Answers(true[test], mean[test], deviation[test], factors, known[test])
    return answers


def uncertainty_scores(methods: Mapping[str, Answers]) -> dict[str, dict[str, Any]]:
    """Return for each method how its spread on test crystals goes with the error.

    `coverage_68` and `coverage_95` are the shares of bins within 1 and 1.96 deviations as they come; 0.683 and 0.95 are
    right. `factor_…` is the number of deviations that held these shares on val, and `calibrated_coverage_…` the share
    it holds on test. `rank_correlation` is Spearman's between the root mean square deviation of a crystal and its
    error, null where either is the same for all; `sparsification_error` is 0 where doubt ranks the crystals as the
    error does. `r2` and `rmse` are those of the mean answer.
    """
    return {name: _score(answers) for name, answers in methods.items()}


def _score(answers: Answers) -> dict[str, Any]:
    from scipy.stats import spearmanr

    difference = answers.true - answers.mean
    error, doubt = answers.error, answers.doubt
    varies = np.ptp(error) > 0 and np.ptp(doubt) > 0

    def covered(n_deviations: float) -> float:
        return coverage(difference, answers.deviation, answers.known, n_deviations)

    return {
        "n": len(error),
        "r2": float(spectrum_r2(answers.true, answers.mean, answers.known).mean()),
        "rmse": float(error.mean()),
        **{f"factor_{level}": factor for level, factor in answers.factors.items()},
        **{f"coverage_{level}": covered(n_deviations) for level, n_deviations in DEVIATIONS.items()},
        **{f"calibrated_coverage_{level}": covered(factor) for level, factor in answers.factors.items()},
        "rank_correlation": float(spearmanr(doubt, error).statistic) if varies else None,
        "sparsification_error": sparsification_error(error, doubt),
    }
