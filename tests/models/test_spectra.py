from collections.abc import Callable

import numpy as np
import pytest
from scipy import interpolate, stats
from scipy.spatial.distance import cdist
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score, root_mean_squared_error

from models.spectra import (
    Normalization,
    covered,
    mae,
    mse,
    normalise,
    resample,
    rescaled,
    rmse,
    savitzky_golay,
    spectrum_r2,
    wasserstein,
)

RANDOM = np.random.RandomState(0)
GRID = np.linspace(-5.0, 5.0, 41)
TRUE, PREDICTED = RANDOM.rand(6, 41), RANDOM.rand(6, 41)
KNOWN = np.arange(41) < np.array([41, 30, 12, 25, 40, 2])[:, None]


def test_resampling_is_linear_interpolation_with_zeros_outside() -> None:
    x = np.sort(RANDOM.uniform(-3, 4, 30))
    y = RANDOM.rand(30)
    expected = interpolate.interp1d(x, y, bounds_error=False, fill_value=0.0)(GRID)
    np.testing.assert_allclose(resample(x, y, GRID), expected, atol=1e-14)


def test_covered_bins_are_those_between_the_ends_of_the_data() -> None:
    np.testing.assert_array_equal(
        covered([-1.0, 0.0, 2.5], [-2.0, -1.0, 0.3, 2.5, 2.6]), [False, True, True, True, False]
    )


@pytest.mark.parametrize(
    ("x", "y"), [([], []), ([0.0, 1.0], [1.0]), ([0.0, 0.0], [1.0, 2.0]), ([1.0, 0.0], [1.0, 2.0])]
)
def test_a_malformed_spectrum_is_refused(x: list[float], y: list[float]) -> None:
    with pytest.raises(ValueError, match="must increase"):
        resample(x, y, GRID)


@pytest.mark.parametrize(("window", "order"), [(7, 1), (11, 3)])
def test_smoothing_is_a_least_squares_polynomial_in_each_window(window: int, order: int) -> None:
    half = window // 2
    smooth = savitzky_golay(TRUE, window, order)
    for row in range(2):
        for centre in range(half, 41 - half):
            fit = np.polyfit(np.arange(-half, half + 1), TRUE[row, centre - half : centre + half + 1], order)
            assert smooth[row, centre] == pytest.approx(fit[-1])


def test_smoothing_leaves_a_polynomial_as_it_is() -> None:
    cubic = GRID**3 - 2 * GRID
    np.testing.assert_allclose(savitzky_golay(cubic, 9, 3), cubic, atol=1e-10)


@pytest.mark.parametrize(("window", "order"), [(8, 3), (3, 3), (43, 3)])
def test_impossible_windows_are_refused(window: int, order: int) -> None:
    with pytest.raises(ValueError, match="must be odd"):
        savitzky_golay(TRUE, window, order)


@pytest.mark.parametrize(("normalization", "measure"), [("max", np.max), ("sum", np.sum)])
def test_a_normalised_spectrum_has_maximum_or_sum_one_and_can_be_undone(
    normalization: Normalization, measure: Callable[[np.ndarray], float]
) -> None:
    spectrum, unit = normalise(3.0 * TRUE[0], normalization)
    assert measure(spectrum) == pytest.approx(1.0)
    np.testing.assert_allclose(spectrum * unit, 3.0 * TRUE[0])


def test_without_normalisation_a_spectrum_stays_as_it_is() -> None:
    spectrum, unit = normalise(3.0 * TRUE[0], "none")
    assert unit == 1.0
    np.testing.assert_array_equal(spectrum, 3.0 * TRUE[0])


@pytest.mark.parametrize("value", [0.0, -1.0])
@pytest.mark.parametrize("normalization", ["max", "sum", "none"])
def test_a_spectrum_without_any_weight_normalises_to_zero(value: float, normalization: Normalization) -> None:
    normalised, unit = normalise(np.full(5, value), normalization)
    assert unit == 0.0
    assert (normalised == 0).all()


def test_rescaled_spectra_are_normalised_one_by_one_over_their_known_bins() -> None:
    for normalization in ("max", "sum"):
        for row, spectrum in enumerate(rescaled(TRUE - 0.3, normalization, KNOWN)):
            expected, _ = normalise((TRUE[row] - 0.3).clip(0) * KNOWN[row], normalization)
            np.testing.assert_allclose(spectrum, expected)
    np.testing.assert_array_equal(rescaled(np.zeros((2, 5)), "sum"), np.zeros((2, 5)))


SCORES = (
    (mae, mean_absolute_error),
    (mse, mean_squared_error),
    (rmse, root_mean_squared_error),
    (spectrum_r2, r2_score),
)


def test_scores_are_those_of_scikit_learn_spectrum_by_spectrum() -> None:
    for ours, theirs in SCORES:
        expected = [theirs(y, p) for y, p in zip(TRUE, PREDICTED, strict=True)]
        np.testing.assert_allclose(ours(TRUE, PREDICTED), expected)


def test_scores_look_at_known_bins_only() -> None:
    for ours, theirs in SCORES:
        expected = [theirs(y[k], p[k]) for y, p, k in zip(TRUE, PREDICTED, KNOWN, strict=True)]
        np.testing.assert_allclose(ours(TRUE, PREDICTED, KNOWN), expected)
    expected = [
        stats.wasserstein_distance(GRID[k], GRID[k], y[k], p[k]) for y, p, k in zip(TRUE, PREDICTED, KNOWN, strict=True)
    ]
    np.testing.assert_allclose(wasserstein(TRUE, PREDICTED, GRID, KNOWN), expected)


def test_r2_of_a_constant_spectrum_is_that_of_scikit_learn() -> None:
    true = np.full((2, 7), 0.5)
    predicted = np.stack([true[0], true[1] + 0.2])
    expected = [r2_score(y, p) for y, p in zip(true, predicted, strict=True)]
    assert spectrum_r2(true, predicted).tolist() == expected == [1.0, 0.0]


def test_wasserstein_is_that_of_scipy_with_spectra_as_weights() -> None:
    grid = np.sort(RANDOM.uniform(-5, 5, 41))
    expected = [stats.wasserstein_distance(grid, grid, y, p) for y, p in zip(TRUE, PREDICTED, strict=True)]
    np.testing.assert_allclose(wasserstein(TRUE, PREDICTED, grid), expected)


def test_wasserstein_between_two_peaks_is_their_distance() -> None:
    peaks = np.eye(len(GRID))
    distances = [wasserstein(peaks[[3]], peaks[[k]], GRID)[0] for k in range(len(GRID))]
    np.testing.assert_allclose(distances, cdist(GRID[[3], None], GRID[:, None])[0], atol=1e-12)


def test_wasserstein_counts_negative_values_as_zero() -> None:
    true, predicted = np.array([[1.0, 0.0, -1.0]]), np.array([[0.0, 1.0, 0.0]])
    assert wasserstein(true, predicted, [0.0, 2.0, 4.0]).tolist() == [2.0]


def test_a_spectrum_without_weight_is_as_far_from_any_other_as_the_grid_is_wide() -> None:
    something, empty = np.ones((1, 41)), np.zeros((1, 41))
    assert wasserstein(something, empty, GRID).tolist() == wasserstein(empty, something, GRID).tolist() == [10.0]
    assert wasserstein(empty, empty, GRID).tolist() == [0.0]
