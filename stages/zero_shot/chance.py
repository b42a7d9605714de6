"""What random ranking would score, exactly, given how many candidates are correct."""

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


def first_correct_distribution(n_candidates: int, n_correct: int) -> NDArray[np.float64]:
    r"""Return the probability that the first correct candidate of a random order has rank 1, 2 and so on.

    $$ P(R = r) = \frac{m}{n - r + 1} \prod_{s < r} \left( 1 - \frac{m}{n - s + 1} \right) $$

    for $m$ correct among $n$ candidates; for $m = 1$ it is $1/n$ for every rank.

    Returns:
        (n_candidates,), zero where the rank cannot be reached.
    """
    left = n_candidates - np.arange(n_candidates)  # candidates not yet drawn before rank r
    hit = np.minimum(n_correct / left, 1.0)
    not_before = np.concatenate([[1.0], np.cumprod(1.0 - hit)[:-1]])
    return hit * not_before


def chance_scores(n_candidates: Counts, n_correct: Counts, top_k: tuple[int, ...]) -> tuple[dict[int, float], float]:
    """Return the expected top-k accuracies and mean reciprocal rank of random ranking.

    With one correct answer among n they are k/n and the n-th harmonic number over n.

    Args:
        n_candidates: (n_queries,), n_queries > 0.
        n_correct: (n_queries,).
        top_k: the values of k.
    """
    cases, counts = np.unique(np.stack([n_candidates, n_correct]), axis=1, return_counts=True)
    weights = counts / counts.sum()
    top, reciprocal = dict.fromkeys(top_k, 0.0), 0.0
    for (n, m), weight in zip(cases.T, weights, strict=True):
        probability = first_correct_distribution(int(n), int(m))
        reciprocal += float(weight * (probability / np.arange(1, n + 1)).sum())
        for k in top_k:
            top[k] += float(weight * probability[:k].sum())
    return top, reciprocal
