"""Spectrum scores against scikit-learn and scipy, one crystal at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import wasserstein_distance as scipy_wasserstein
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from stages.evaluate.spectra_metrics import spectra_errors, wasserstein_distance

GRID = np.linspace(-5.0, 5.0, 21)
DENSITY = st.floats(0, 1, width=32).map(lambda value: 0.0 if value < 1e-3 else value)
PAIRS = st.integers(1, 4).flatmap(lambda n: arrays(np.float64, (2, n, 21), elements=DENSITY))


@given(PAIRS)
def test_errors_of_each_crystal_are_those_of_scikit_learn_over_its_bins(pair: np.ndarray) -> None:
    true, predicted = pair
    errors = spectra_errors(true, predicted, GRID)
    for row in range(len(true)):
        assert errors.mae[row] == pytest.approx(mean_absolute_error(true[row], predicted[row]))
        assert errors.rmse[row] == pytest.approx(root_mean_squared_error(true[row], predicted[row]))
        assert errors.r2[row] == pytest.approx(r2_score(true[row], predicted[row]))


@given(PAIRS)
def test_wasserstein_distance_is_that_of_scipy(pair: np.ndarray) -> None:
    true, predicted = pair
    distance = wasserstein_distance(true, predicted, GRID)
    for row in range(len(true)):
        if true[row].sum() > 0 and predicted[row].sum() > 0:
            expected = scipy_wasserstein(GRID, GRID, true[row], predicted[row])
            assert distance[row] == pytest.approx(expected, abs=1e-9)


def test_a_shifted_peak_is_as_far_as_it_was_shifted() -> None:
    true, predicted = np.zeros((2, 1, 21))
    true[0, 4] = 1.0
    predicted[0, 10] = 0.3
    assert wasserstein_distance(true, predicted, GRID)[0] == pytest.approx(GRID[10] - GRID[4])


def test_an_empty_prediction_is_as_far_as_the_grid_is_wide() -> None:
    true, empty = np.ones((1, 21)), np.zeros((1, 21))
    assert wasserstein_distance(true, empty, GRID)[0] == pytest.approx(10.0)
    assert wasserstein_distance(empty, empty, GRID)[0] == 0.0


def test_means_are_over_crystals_and_undefined_without_any() -> None:
    true = np.random.RandomState(0).rand(5, 21)
    errors = spectra_errors(true, 1.0 - true, GRID)
    assert errors.means()["mae"] == pytest.approx(np.mean([np.abs(1 - 2 * row).mean() for row in true]))
    nothing = spectra_errors(np.zeros((0, 21)), np.zeros((0, 21)), GRID)
    assert set(nothing.means().values()) == {None}
