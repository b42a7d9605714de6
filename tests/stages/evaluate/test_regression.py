"""Regression scores against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from stages.evaluate.regression import ratio, regression_scores

VALUES = st.floats(-100, 100, width=32)


@given(st.integers(2, 30).flatmap(lambda n: arrays(np.float64, (2, n), elements=VALUES)))
def test_scores_are_those_of_scikit_learn(pair: np.ndarray) -> None:
    true, predicted = pair
    scores = regression_scores(true, predicted)
    assert scores.n == len(true)
    assert scores.mae == pytest.approx(mean_absolute_error(true, predicted))
    assert scores.rmse == pytest.approx(root_mean_squared_error(true, predicted))
    if np.ptp(true) > 1e-3:
        assert scores.r2 == pytest.approx(r2_score(true, predicted))


def test_no_crystal_has_no_scores() -> None:
    scores = regression_scores(np.array([]), np.array([]))
    assert (scores.n, scores.mae, scores.rmse, scores.r2) == (0, None, None, None)


def test_one_crystal_or_a_constant_truth_has_errors_but_no_r2() -> None:
    for true in (np.array([1.5]), np.array([1.5, 1.5])):
        scores = regression_scores(true, true + 0.5)
        assert scores.mae == scores.rmse == 0.5
        assert scores.r2 is None


def test_a_diverged_prediction_is_not_left_out_of_the_score() -> None:
    scores = regression_scores(np.array([1.0, 2.0, 3.0]), np.array([1.0, np.nan, 3.0]))
    assert (scores.n, scores.mae, scores.rmse, scores.r2) == (3, None, None, None)


def test_a_ratio_to_nothing_is_undefined() -> None:
    assert ratio(1.0, 4.0) == 0.25
    assert ratio(None, 4.0) is None
    assert ratio(1.0, None) is None
    assert ratio(1.0, 0.0) is None
