"""Bootstrap intervals against closed forms."""

import math

import numpy as np
import pytest

from stages.shared.bootstrap import bootstrap_mean, bootstrap_mean_of_means

NORMAL_QUANTILE = 1.96


def test_interval_of_a_proportion_has_the_binomial_width() -> None:
    outcomes = np.zeros(400)
    outcomes[:120] = 1.0
    estimate = bootstrap_mean(outcomes, 4000, seed=0)
    assert estimate.mean == pytest.approx(0.3)
    assert estimate.low is not None
    assert estimate.high is not None
    half_width = NORMAL_QUANTILE * math.sqrt(0.3 * 0.7 / 400)
    assert (estimate.high - estimate.low) / 2 == pytest.approx(half_width, rel=0.05)


def test_interval_of_a_mean_of_means_adds_the_variances_of_the_groups() -> None:
    random = np.random.RandomState(1)
    groups = [random.normal(center, width, size) for center, width, size in ((0, 1, 50), (5, 2, 200), (9, 3, 90))]
    estimate = bootstrap_mean_of_means(groups, 4000, seed=0)
    standard_error = math.sqrt(sum(group.var() / len(group) for group in groups)) / len(groups)
    assert estimate.mean == pytest.approx(np.mean([group.mean() for group in groups]))
    assert estimate.low == pytest.approx(estimate.mean - NORMAL_QUANTILE * standard_error, abs=0.1 * standard_error)
    assert estimate.high == pytest.approx(estimate.mean + NORMAL_QUANTILE * standard_error, abs=0.1 * standard_error)


def test_interval_covers_the_true_mean_about_19_times_in_20() -> None:
    random = np.random.RandomState(2)
    covered = 0
    for trial in range(300):
        estimate = bootstrap_mean(random.normal(size=60), 300, seed=trial)
        assert estimate.low is not None
        assert estimate.high is not None
        covered += estimate.low <= 0.0 <= estimate.high
    assert 0.90 <= covered / 300 <= 0.98


def test_a_constant_has_no_width_and_the_same_seed_the_same_interval() -> None:
    assert bootstrap_mean(np.full(7, 0.5), 100, seed=3) == bootstrap_mean(np.full(7, 0.5), 100, seed=4)
    values = np.random.RandomState(5).rand(40)
    assert bootstrap_mean(values, 100, seed=3) == bootstrap_mean(values, 100, seed=3)
    assert bootstrap_mean(values, 100, seed=3) != bootstrap_mean(values, 100, seed=4)


@pytest.mark.parametrize("values", [[], [1.0, math.nan]])
def test_nothing_to_average_is_no_number(values: list[float]) -> None:
    estimate = bootstrap_mean(np.array(values), 100, seed=0)
    assert (estimate.mean, estimate.low, estimate.high) == (None, None, None)
