"""Acquisitions against quadrature and scipy, batches against determinants computed in full."""

import itertools

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from models.acquisition import (
    Window,
    choose_batch,
    expected_improvement,
    log_quality,
    probability,
    upper_confidence_bound,
)
from models.gaussian_process import GaussianProcess, Posterior

WINDOWS = [Window(0.2, 0.9), Window(0.5, np.inf), Window(-np.inf, -0.1)]


def posterior(seed: int = 0, n: int = 12) -> Posterior:
    random = np.random.RandomState(seed)
    points = random.randn(25, 2)
    return GaussianProcess(points, points[:, 0] + 0.2 * random.randn(25)).posterior(random.randn(n, 2))


@pytest.mark.parametrize("window", WINDOWS)
def test_probability_and_expected_depth_are_the_integrals(window: Window) -> None:
    known = posterior()
    odds, depth = probability(known, window), expected_improvement(known, window)
    for place, (mean, deviation) in enumerate(zip(known.mean, known.deviation, strict=True)):
        density = norm(mean, deviation).pdf
        low, high = max(window.low, mean - 12 * deviation), min(window.high, mean + 12 * deviation)
        if low >= high:
            continue
        middle = [0.5 * (window.low + window.high)] if np.isfinite(window.low + window.high) else None
        inside = quad(density, low, high, points=middle, epsabs=1e-12)[0]
        expected = quad(lambda y, f=density: f(y) * window.depth(np.array(y)), low, high, points=middle, epsabs=1e-12)
        assert odds[place] == pytest.approx(inside, abs=1e-9)
        assert depth[place] == pytest.approx(expected[0], abs=1e-9)


def test_an_open_window_ranks_by_mean_plus_deviations() -> None:
    known = posterior()
    bound = upper_confidence_bound(known, Window(0.5, np.inf), 2.0)
    np.testing.assert_allclose(bound, known.mean + 2.0 * known.deviation - 0.5)


def test_several_properties_count_together() -> None:
    pair = {"a": posterior(0), "b": posterior(1)}
    windows = {"a": WINDOWS[0], "b": WINDOWS[1]}
    odds = norm(pair["a"].mean, pair["a"].deviation).cdf(0.9) - norm(pair["a"].mean, pair["a"].deviation).cdf(0.2)
    odds = odds * norm(pair["b"].mean, pair["b"].deviation).sf(0.5)
    np.testing.assert_allclose(np.exp(log_quality(pair, windows, "probability", 0.0)), odds)


def test_a_hopeless_window_leaves_finite_scores() -> None:
    far = {"a": Window(1e6, 2e6)}
    assert np.isfinite(log_quality({"a": posterior()}, far, "expected_improvement", 0.0)).all()


def brute_force(posteriors: dict[str, Posterior], quality: np.ndarray, size: int) -> list[int]:
    """Greedy growth of the determinant of the kernel of a determinantal point process, every one in full."""
    kernels = []
    for one in posteriors.values():
        distance = np.linalg.norm(one.points[:, None] - one.points[None], axis=-1)
        covariance = one.variance * np.exp(-distance / one.length) - one.reduction.T @ one.reduction
        kernels.append((covariance + one.noise * np.eye(len(covariance)), covariance))
    chosen: list[int] = []
    for _ in range(size):
        gains = []
        for place in range(len(quality)):
            gain = quality[place] if place not in chosen else -np.inf
            for noisy, covariance in kernels:
                cross = covariance[chosen, place]
                taken = cross @ np.linalg.solve(noisy[np.ix_(chosen, chosen)], cross) if chosen else 0.0
                gain += 0.5 * np.log((covariance[place, place] - taken) / covariance[place, place])
            gains.append(gain)
        chosen.append(int(np.argmax(gains)))
    return chosen


@pytest.mark.parametrize("seed", range(4))
def test_a_batch_is_that_of_the_determinants(seed: int) -> None:
    pair = {"a": posterior(seed), "b": posterior(seed)}
    quality = np.random.RandomState(seed).randn(12)
    assert choose_batch(pair, quality, range(12), 5, 1.0) == brute_force(pair, quality, 5)


def test_without_diversity_the_best_are_chosen_in_order() -> None:
    quality = np.random.RandomState(0).randn(12)
    assert choose_batch({"a": posterior()}, quality, range(12), 4, 0.0) == np.argsort(-quality)[:4].tolist()


def test_of_two_twins_one_is_chosen_first_and_something_else_second() -> None:
    random = np.random.RandomState(0)
    points = random.randn(25, 2)
    candidates = np.array([[3.0, 3.0], [3.0, 3.0], [-3.0, 3.0]])
    known = GaussianProcess(points, points[:, 0]).posterior(candidates)
    assert choose_batch({"a": known}, np.array([1.0, 1.0, 0.9]), range(3), 2, 1.0) == [0, 2]


def test_only_what_is_allowed_is_chosen_and_nothing_twice() -> None:
    for size, allowed in itertools.product((1, 3, 9), ([5], [7, 2, 4], range(12))):
        chosen = choose_batch({"a": posterior()}, np.zeros(12), allowed, size, 1.0)
        assert len(chosen) == len(set(chosen)) == min(size, len(allowed))
        assert set(chosen) <= set(allowed)
