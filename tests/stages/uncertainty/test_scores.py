"""Scores of the uncertainty: the factor is from val, everything else from test."""

from dataclasses import replace

import numpy as np
import pytest

from stages.uncertainty.scores import Answers, uncertainty_scores

RANDOM = np.random.RandomState(0)


def answers(n: int = 40, n_bins: int = 100) -> Answers:
    """Test crystals of different difficulty, the deviation a third of what it should be."""
    deviation = np.repeat(np.linspace(0.1, 1.0, n)[:, None], n_bins, axis=1)
    true = RANDOM.rand(n, n_bins)
    mean = true + 3 * deviation * RANDOM.randn(n, n_bins)
    return Answers(true, mean, deviation, {"68": 3.0, "95": 3 * 1.96}, np.ones((n, n_bins), dtype=bool))


def test_factors_from_elsewhere_mend_the_coverage() -> None:
    score = uncertainty_scores({"one": answers()})["one"]
    assert score["coverage_68"] == pytest.approx(0.261, abs=0.03)  # of a third of a deviation
    assert score["calibrated_coverage_68"] == pytest.approx(0.683, abs=0.03)
    assert score["calibrated_coverage_95"] == pytest.approx(0.95, abs=0.02)
    assert (score["factor_68"], score["n"]) == (3.0, 40)
    assert score["rank_correlation"] > 0.9


def test_bins_that_are_not_known_count_nowhere() -> None:
    own = answers()
    known = RANDOM.rand(*own.known.shape) < 0.7
    spoiled = np.where(known, own.mean, 1e6)
    first = uncertainty_scores({"one": replace(own, known=known)})
    assert uncertainty_scores({"one": replace(own, known=known, mean=spoiled)}) == first


def test_the_same_doubt_for_all_has_no_rank_correlation() -> None:
    own = answers()
    assert (
        uncertainty_scores({"one": replace(own, deviation=np.ones_like(own.mean))})["one"]["rank_correlation"] is None
    )
