"""A Gaussian process for a few hundred labels: a mean, a spread, and what the spread becomes after one more label."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.spatial.distance import cdist

Array = NDArray[np.float64]

_LENGTHS = np.geomspace(0.1, 100.0, 13)  # in units of the median distance between the labelled points
_NOISES = np.geomspace(1e-3, 10.0, 13)  # variance of the noise over variance of the function


@dataclass(frozen=True)
class Posterior:
    """What is known of a function at n points.

    Args:
        mean: (n,).
        points: (n, d).
        reduction: (m, n) rows $v$ of which each takes $v^2$ from the prior variance.
        length: of the kernel.
        variance: of the function before any label.
        noise: variance of a label beyond that.
    """

    mean: Array
    points: Array
    reduction: Array
    length: float
    variance: float
    noise: float

    @property
    def function_variance(self) -> Array:
        """Variance of the function at each point, (n,), the noise of a label left out."""
        return np.clip(self.variance - np.square(self.reduction).sum(axis=0), 0.0, None)

    @property
    def deviation(self) -> Array:
        """Standard deviation of a new label at each point, (n,), noise included."""
        return np.sqrt(self.function_variance + self.noise)

    def after_label(self, place: int) -> "Posterior":
        """Return the posterior as if the label of one point had come and were its mean.

        The mean stays as it is; the variance, which depends on no label's value, shrinks there and nearby: Rasmussen
        and Williams (see `GaussianProcess`), equation 2.26 with one row more.
        """
        covariance = self.variance * _kernel(self.points, self.points[place][None], self.length)[:, 0]
        covariance -= self.reduction.T @ self.reduction[:, place]
        row = covariance / np.sqrt(max(covariance[place], 0.0) + self.noise)
        return replace(self, reduction=np.vstack([self.reduction, row]))


class GaussianProcess:
    r"""Regression with an exponential kernel and noise, its three constants from the labels.

    $$ k(x, x') = \sigma^2 \exp(-|x - x'| / \ell) + \sigma_n^2\, \delta_{x x'} $$

    Rasmussen and Williams, *Gaussian Processes for Machine Learning*, MIT Press 2006: the Matérn kernel of order 1/2,
    equation 4.18; posterior, equations 2.25 and 2.26; $\ell$ and $\sigma_n / \sigma$ are those of a grid with the
    highest marginal likelihood, equation 5.8, $\sigma$ being the best for them. A kernel as rough as this one does not
    become sure of itself between points that happen to agree.

    Args:
        points: (n, d) labelled points, features of comparable scale.
        labels: (n,) at least one.
    """

    def __init__(self, points: Array, labels: Array) -> None:
        self._points = points
        self._mean = float(labels.mean())
        centred = labels - self._mean
        distance = cdist(points, points)
        positive = distance[distance > 0]
        scale = float(np.median(positive)) if len(positive) else 1.0
        self.length, ratio, self.variance = _most_likely(distance, centred, scale)
        self.noise = ratio * self.variance
        covariance = self.variance * np.exp(-distance / self.length) + self.noise * np.eye(len(labels))
        self._factor = np.linalg.cholesky(covariance)
        self._weights = solve_triangular(self._factor, centred, lower=True)

    def posterior(self, points: Array) -> Posterior:
        """Return mean and spread at new points (n, d)."""
        covariance = self.variance * _kernel(self._points, points, self.length)
        reduction = solve_triangular(self._factor, covariance, lower=True)  # (n_labels, n)
        mean = self._mean + reduction.T @ self._weights
        return Posterior(mean, points, reduction, self.length, self.variance, self.noise)


def _kernel(a: Array, b: Array, length: float) -> Array:
    return np.exp(-cdist(a, b) / length)


def _most_likely(distance: Array, centred: Array, scale: float) -> tuple[float, float, float]:
    """Return length, noise ratio and variance of the highest marginal likelihood on the grid.

    One eigendecomposition serves all noise ratios of a length.
    """
    n = len(centred)
    smallest = np.finfo(float).tiny
    best = (-np.inf, 1.0, 1.0, 1.0)
    for length in scale * _LENGTHS:
        values, vectors = np.linalg.eigh(np.exp(-distance / length))
        spectrum = values.clip(min=0.0) + _NOISES[:, None]  # (n_noises, n)
        variances = (np.square(vectors.T @ centred) / spectrum).mean(axis=1)
        likelihood = -0.5 * (n * np.log(variances.clip(min=smallest)) + np.log(spectrum).sum(axis=1))
        place = int(likelihood.argmax())
        best = max(best, (float(likelihood[place]), float(length), float(_NOISES[place]), float(variances[place])))
    _, length, ratio, variance = best
    return length, ratio, max(variance, 1e-12)
