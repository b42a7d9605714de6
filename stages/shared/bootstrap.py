"""Percentile bootstrap: how much a mean over test crystals would change with other test crystals.

Efron, *Bootstrap Methods: Another Look at the Jackknife*, Ann. Statist. 7, 1 (1979),
doi:10.1214/aos/1176344552.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % confidence interval; all `None` where there is nothing to average."""

    mean: float | None
    low: float | None
    high: float | None


def bootstrap_mean(values: NDArray[np.float64], n_samples: int, seed: int) -> Estimate:
    """Estimate the mean of independent values, (n,), and its percentile interval."""
    return bootstrap_mean_of_means([values] if len(values) else [], n_samples, seed)


def bootstrap_mean_of_means(groups: Sequence[NDArray[np.float64]], n_samples: int, seed: int) -> Estimate:
    """Estimate the unweighted mean of group means; each group is resampled within itself.

    With one group this is the ordinary bootstrap of a mean; with the correctness of answers grouped
    by class it is the interval of the macro accuracy, and no class can vanish from a resample.

    Args:
        groups: arrays of shape (n_i,), none empty.
        n_samples: number of resamples.
        seed: of the resampling.
    """
    if len(groups) == 0:
        return Estimate(None, None, None)
    mean = float(np.mean([group.mean() for group in groups]))
    if not np.isfinite(mean):
        return Estimate(None, None, None)
    random = np.random.RandomState(seed)
    resampled = np.zeros(n_samples)
    for sample in range(n_samples):
        means = [group[random.randint(len(group), size=len(group))].mean() for group in groups]
        resampled[sample] = np.mean(means)
    tail = 50.0 * (1.0 - CONFIDENCE)
    low, high = np.percentile(resampled, [tail, 100.0 - tail])
    return Estimate(mean, float(low), float(high))
