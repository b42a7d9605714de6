"""The Gaussian process against scikit-learn's, which inverts the whole covariance anew each time."""

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from models.gaussian_process import GaussianProcess

RANDOM = np.random.RandomState(0)
POINTS = RANDOM.randn(40, 3)
LABELS = np.sin(2 * POINTS[:, 0]) + 0.3 * RANDOM.randn(40) + 5.0
ELSEWHERE = RANDOM.randn(7, 3)


def reference(process: GaussianProcess, points: np.ndarray, labels: np.ndarray) -> GaussianProcessRegressor:
    kernel = ConstantKernel(process.variance) * Matern(process.length, nu=0.5) + WhiteKernel(process.noise)
    return GaussianProcessRegressor(kernel, alpha=0.0, optimizer=None).fit(points, labels - LABELS.mean())


def test_mean_and_spread_are_those_of_scikit_learn() -> None:
    process = GaussianProcess(POINTS, LABELS)
    mean, deviation = reference(process, POINTS, LABELS).predict(ELSEWHERE, return_std=True)
    posterior = process.posterior(ELSEWHERE)
    np.testing.assert_allclose(posterior.mean, mean + LABELS.mean(), rtol=1e-9)
    np.testing.assert_allclose(posterior.deviation, deviation, rtol=1e-9)


def test_no_other_constants_nearby_are_more_likely() -> None:
    line = np.linspace(-3, 3, 80)[:, None]
    noisy = line[:, 0] + 0.5 * np.random.RandomState(1).randn(80)
    process = GaussianProcess(line, noisy)
    regressor = reference(process, line, noisy - noisy.mean() + LABELS.mean())
    best = regressor.log_marginal_likelihood(regressor.kernel_.theta)
    steps = (0.3, np.log(10) / 4, np.log(10) / 3)  # of variance, length and noise; those of the grid, or any
    for place, step in enumerate(steps):
        for direction in (-1, 1):
            theta = regressor.kernel_.theta.copy()
            theta[place] += direction * step
            assert regressor.log_marginal_likelihood(theta) < best


def test_a_believed_label_acts_as_one_that_equals_the_mean() -> None:
    process = GaussianProcess(POINTS, LABELS)
    before = process.posterior(ELSEWHERE)
    regressor = reference(process, np.vstack([POINTS, ELSEWHERE[2]]), np.append(LABELS, before.mean[2]))
    mean, deviation = regressor.predict(ELSEWHERE, return_std=True)
    after = before.after_label(2)
    np.testing.assert_allclose(after.mean, mean + LABELS.mean(), rtol=1e-9)
    np.testing.assert_allclose(after.deviation, deviation, rtol=1e-9)


def test_two_believed_labels_act_like_two_labels() -> None:
    process = GaussianProcess(POINTS, LABELS)
    regressor = reference(process, np.vstack([POINTS, ELSEWHERE[[2, 5]]]), np.append(LABELS, [0.0, 0.0]))
    _, deviation = regressor.predict(ELSEWHERE, return_std=True)
    after = process.posterior(ELSEWHERE).after_label(2).after_label(5)
    np.testing.assert_allclose(after.deviation, deviation, rtol=1e-9)


@pytest.mark.parametrize("labels", [np.array([2.0]), np.full(5, 2.0)])
def test_labels_that_are_all_equal_are_predicted_everywhere(labels: np.ndarray) -> None:
    posterior = GaussianProcess(POINTS[: len(labels)], labels).posterior(ELSEWHERE)
    np.testing.assert_allclose(posterior.mean, 2.0)
    assert np.isfinite(posterior.deviation).all()


def test_crystals_that_look_the_same_may_have_different_labels() -> None:
    posterior = GaussianProcess(np.zeros((2, 3)), np.array([0.0, 1.0])).posterior(np.zeros((1, 3)))
    assert posterior.mean[0] == pytest.approx(0.5)
    assert posterior.deviation[0] > 0.1


def test_three_in_five_labels_lie_within_one_deviation() -> None:
    random = np.random.RandomState(1)
    points = random.randn(400, 2)
    labels = points[:, 0] ** 2 + 0.5 * random.randn(400)
    posterior = GaussianProcess(points[:200], labels[:200]).posterior(points[200:])
    inside = np.abs(labels[200:] - posterior.mean) <= posterior.deviation
    assert 0.6 < inside.mean() < 0.78
