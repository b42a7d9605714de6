"""Which crystals to compute next, when those are wanted whose properties lie in a window."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from models.gaussian_process import Posterior

Array = NDArray[np.float64]

_SMALLEST = np.finfo(float).tiny


@dataclass(frozen=True)
class Window:
    """Values of a property that are wanted: from `low` to `high`, in its unit; infinite where a side is open."""

    low: float
    high: float

    def holds(self, values: Array) -> NDArray[np.bool_]:
        """Tell which values lie inside; NaN does not."""
        return (values >= self.low) & (values <= self.high)

    def depth(self, values: Array) -> Array:
        """Return how far inside each value lies, its distance to the nearer edge; negative outside."""
        return np.minimum(values - self.low, self.high - values)


def probability(posterior: Posterior, window: Window) -> Array:
    """Return the probability that each label lies inside, (n,).

    The one-step optimal policy where hits are counted: Garnett et al., *Bayesian Optimal Active Search and Surveying*,
    ICML 2012, arXiv:1206.6406, section 3.
    """
    mean, deviation = posterior.mean, posterior.deviation
    return ndtr((window.high - mean) / deviation) - ndtr((window.low - mean) / deviation)


def expected_improvement(posterior: Posterior, window: Window) -> Array:
    r"""Return the expected depth inside the window, outside of which it counts as zero, (n,).

    With $\mathrm{EI}(a) = \mathbb E[(y - a)_+] = \sigma\,[z\,\Phi(z) + \varphi(z)]$, $z = (\mu - a) / \sigma$, the
    improvement on an incumbent $a$ of Jones, Schonlau and Welch, *J. Glob. Optim.* 13, 455 (1998),
    doi:10.1023/A:1008306431147, equation 15, the depth of a window from $l$ to $h$ has the expectation

    $$ \mathrm{EI}(l) - 2\,\mathrm{EI}\left(\tfrac{l + h}{2}\right) + \mathrm{EI}(h) $$

    and a window open above that of $\mathrm{EI}(l)$: the edge of the window is the incumbent.
    """
    mean, deviation = posterior.mean, posterior.deviation
    if np.isinf(window.high):
        return _above(mean, deviation, window.low)
    if np.isinf(window.low):
        return _above(-mean, deviation, -window.high)
    edges = _above(mean, deviation, window.low) + _above(mean, deviation, window.high)
    return edges - 2.0 * _above(mean, deviation, 0.5 * (window.low + window.high))


def upper_confidence_bound(posterior: Posterior, window: Window, kappa: float) -> Array:
    r"""Return the depth of the mean plus $\kappa\sigma$, (n,).

    For a window open above it ranks as $\mu + \kappa\sigma$ of Srinivas et al., *Gaussian Process Optimization in the
    Bandit Setting*, ICML 2010, arXiv:0912.3995, algorithm 1, does; for a closed one it is the straddle heuristic of
    Bryan et al., *Active Learning for Identifying Function Threshold Boundaries*, NeurIPS 2005, around its middle.
    """
    return window.depth(posterior.mean) + kappa * posterior.deviation


def log_quality(posteriors: Mapping[str, Posterior], windows: Mapping[str, Window], name: str, kappa: float) -> Array:
    """Return how much each candidate is worth over all its properties, (n,), on a logarithmic scale.

    Properties count as independent: probabilities and expected depths multiply. A confidence bound is taken for the
    logarithm itself, in units of the standard deviation that the property has before any label; of several the least
    counts.

    Args:
        posteriors: of each property, all at the same n candidates.
        windows: of each property.
        name: `probability`, `expected_improvement` or `upper_confidence_bound`.
        kappa: of the confidence bound.
    """
    if name == "upper_confidence_bound":
        bounds = [
            upper_confidence_bound(posteriors[key], window, kappa) / np.sqrt(posteriors[key].variance)
            for key, window in windows.items()
        ]
        least: Array = np.min(bounds, axis=0)
        return least
    worth = probability if name == "probability" else expected_improvement
    factors = [worth(posteriors[key], window) for key, window in windows.items()]
    return np.sum([np.log(factor.clip(min=_SMALLEST)) for factor in factors], axis=0)


def choose_batch(
    posteriors: Mapping[str, Posterior], quality: Array, allowed: Sequence[int], size: int, diversity: float
) -> list[int]:
    r"""Choose candidates that are worth much and unlike each other.

    One after the other the candidate with the highest

    $$ \log q_i + \frac{\lambda}{2} \sum_k \log \frac{\operatorname{Var}_k(i \mid \text{chosen})}
                                                   {\operatorname{Var}_k(i)} $$

    over the properties k. With $\lambda = 1$ it is the greedy mode of a determinantal point process with qualities q
    and the posterior correlations as similarities: Kulesza and Taskar, *Determinantal Point Processes for Machine
    Learning*, Found. Trends Mach. Learn. 5, 123 (2012), arXiv:1207.6083, section 3.1; Chen, Zhang and Zhou, *Fast
    Greedy MAP Inference for Determinantal Point Process*, NeurIPS 2018, arXiv:1709.05135, algorithm 1.

    Args:
        posteriors: of each property at the n candidates.
        quality: (n,) log q.
        allowed: places that may be chosen.
        size: number wanted; fewer where fewer are allowed.
        diversity: λ; 0 takes the best, however alike.
    """
    chosen: list[int] = []
    places = np.array(sorted(allowed), dtype=np.int64)
    start = _log_variance(posteriors)
    while len(chosen) < size and len(places):
        worth = quality + 0.5 * diversity * (_log_variance(posteriors) - start)
        place = int(places[worth[places].argmax()])  # the first of equals
        chosen.append(place)
        places = places[places != place]
        posteriors = {key: posterior.after_label(place) for key, posterior in posteriors.items()}
    return chosen


def _log_variance(posteriors: Mapping[str, Posterior]) -> Array:
    """Sum over the properties of the logarithm of the function's variance at each candidate, (n,)."""
    logarithms = [np.log(posterior.function_variance.clip(min=_SMALLEST)) for posterior in posteriors.values()]
    total: Array = np.sum(logarithms, axis=0)
    return total


def _above(mean: Array, deviation: Array, threshold: float) -> Array:
    """Expectation of what a normal variable exceeds a threshold by, (n,)."""
    z = (mean - threshold) / deviation
    density = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
    return deviation * (z * ndtr(z) + density)
