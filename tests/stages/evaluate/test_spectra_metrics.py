"""Spectrum scores against scikit-learn and scipy, one crystal at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import wasserstein_distance
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score, root_mean_squared_error

from models.spectra import Normalization
from stages.evaluate.spectra_metrics import rescaled_errors, spectra_errors

GRID = np.linspace(-5.0, 5.0, 21)
DENSITY = st.floats(0, 1, width=32).map(lambda value: 0.0 if value < 1e-3 else value)
PAIRS = st.integers(1, 4).flatmap(lambda n: arrays(np.float64, (2, n, 21), elements=DENSITY))
N_KNOWN = st.integers(2, 21)


@given(PAIRS, N_KNOWN)
def test_errors_of_each_crystal_are_those_of_scikit_learn_over_its_known_bins(pair: np.ndarray, n_known: int) -> None:
    true, predicted = pair
    known = np.broadcast_to(np.arange(21) < n_known, true.shape)
    errors = spectra_errors(true, predicted, known, GRID)
    for row in range(len(true)):
        both = true[row, :n_known], predicted[row, :n_known]
        assert errors.mae[row] == pytest.approx(mean_absolute_error(*both))
        assert errors.mse[row] == pytest.approx(mean_squared_error(*both))
        assert errors.rmse[row] == pytest.approx(root_mean_squared_error(*both))
        assert errors.r2[row] == pytest.approx(r2_score(*both))


@given(PAIRS, N_KNOWN)
def test_wasserstein_distance_is_that_of_scipy(pair: np.ndarray, n_known: int) -> None:
    true, predicted = pair
    known = np.broadcast_to(np.arange(21) < n_known, true.shape)
    distance = spectra_errors(true, predicted, known, GRID).wasserstein
    grid = GRID[:n_known]
    for row in range(len(true)):
        both = true[row, :n_known], predicted[row, :n_known]
        if both[0].sum() > 0 and both[1].sum() > 0:
            assert distance[row] == pytest.approx(wasserstein_distance(grid, grid, *both), abs=1e-9)


@pytest.mark.parametrize(("normalization", "measure"), [("max", np.max), ("sum", np.sum)])
def test_rescaled_errors_are_those_of_the_shapes(normalization: Normalization, measure: type[np.max]) -> None:
    true, predicted = np.random.RandomState(0).rand(2, 5, 21)
    known = np.arange(21) < np.array([21, 20, 3, 7, 15])[:, None]
    errors = rescaled_errors(true, 30.0 * predicted, known, GRID, normalization)
    for row in range(5):
        y, p = true[row, known[row]], predicted[row, known[row]]
        assert errors.mae[row] == pytest.approx(mean_absolute_error(y / measure(y), p / measure(p)))
        assert errors.r2[row] == pytest.approx(r2_score(y / measure(y), p / measure(p)))
    np.testing.assert_allclose(errors.wasserstein, spectra_errors(true, predicted, known, GRID).wasserstein)


def test_an_undefined_prediction_is_undefined_also_after_rescaling() -> None:
    true, known = np.random.RandomState(0).rand(3, 21), np.ones((3, 21), dtype=bool)
    assert set(rescaled_errors(true, np.full_like(true, np.nan), known, GRID, "max").means().values()) == {None}


def test_means_are_over_crystals_and_undefined_without_any() -> None:
    true, known = np.random.RandomState(0).rand(5, 21), np.ones((5, 21), dtype=bool)
    errors = spectra_errors(true, 1.0 - true, known, GRID)
    assert errors.means()["mae"] == pytest.approx(np.mean([np.abs(1 - 2 * row).mean() for row in true]))
    nothing = spectra_errors(true[:0], true[:0], known[:0], GRID)
    assert set(nothing.means().values()) == {None}


def test_the_fail_rate_is_the_share_of_crystals_a_constant_would_have_fitted_better() -> None:
    true, known = np.random.RandomState(0).rand(4, 21), np.ones((4, 21), dtype=bool)
    predicted = np.concatenate([true[:3], 1.0 - true[3:]])
    assert r2_score(true[3], predicted[3]) < 0
    assert spectra_errors(true, predicted, known, GRID).means()["fail_rate"] == 0.25
