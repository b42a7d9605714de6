"""Ranks of the right answer among candidates, in either direction.

The protocol of CLIP retrieval (Radford et al., ICML 2021, arXiv:2103.00020) as CLaC applies it to crystals
(arXiv:2502.16451), with three choices made explicit: both directions, every query, and a rule for ties.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Embeddings = NDArray[np.floating]
Groups = NDArray[np.int64]

QUERIES_AT_A_TIME = 1024
# Cosine similarities closer than this are a tie: single precision and the order of summation blur the rest.
SIMILARITY_DECIMALS = 6


@dataclass(frozen=True)
class Ranks:
    """The outcome of one query per crystal of a gallery, each array of shape (n_queries,).

    Args:
        rank: expected rank of the best correct candidate, 1 is first; see `expected_rank`.
        n_candidates: how many candidates there were.
        n_correct: how many of them were correct.
    """

    rank: NDArray[np.float64]
    n_candidates: NDArray[np.int64]
    n_correct: NDArray[np.int64]


def similarities(queries: Embeddings, candidates: Embeddings) -> NDArray[np.float64]:
    """Return the cosine similarities of L2-normalised rows, (n_queries, n_candidates), rounded to 1e-6."""
    product = queries.astype(np.float64) @ candidates.astype(np.float64).T
    rounded: NDArray[np.float64] = np.round(product, SIMILARITY_DECIMALS)
    return rounded


def expected_rank(scores: NDArray[np.float64], correct: NDArray[np.bool_]) -> NDArray[np.float64]:
    r"""Return the expected rank of the best correct candidate when ties are broken at random, (n_queries,).

    With $g$ wrong candidates above the best correct score, $t$ wrong and $m$ correct ones at it,

    $$ E[\mathrm{rank}] = 1 + g + \frac{t}{m + 1}, $$

    the expected place of the first of $m$ among $m + t$ in random order. So a model that gives every
    candidate the same score ranks in the middle, never first.

    Args:
        scores: (n_queries, n_candidates) higher is better.
        correct: (n_queries, n_candidates), at least one True in each row.
    """
    best = np.where(correct, scores, -np.inf).max(axis=1, keepdims=True)
    above = (~correct & (scores > best)).sum(axis=1)
    tied_wrong = (~correct & (scores == best)).sum(axis=1)
    tied_correct = (correct & (scores == best)).sum(axis=1)
    return 1.0 + above + tied_wrong / (tied_correct + 1.0)


def gallery_ranks(queries: Embeddings, candidates: Embeddings, groups: Groups) -> Ranks:
    """Rank the whole gallery for every query.

    Args:
        queries: (n, dim) L2-normalised rows of one modality.
        candidates: (n, dim) of the other; row i belongs to row i of `queries`.
        groups: (n,) rows with the same number are correct answers for each other.
    """
    n = len(groups)
    ranks, n_correct = np.zeros(n), np.zeros(n, dtype=np.int64)
    for start in range(0, n, QUERIES_AT_A_TIME):
        rows = slice(start, start + QUERIES_AT_A_TIME)
        correct = groups[rows, None] == groups[None, :]
        ranks[rows] = expected_rank(similarities(queries[rows], candidates), correct)
        n_correct[rows] = correct.sum(axis=1)
    return Ranks(ranks, np.full(n, n), n_correct)


def draw_pools(groups: Groups, pool_size: int, seed: int) -> NDArray[np.int64] | None:
    """Draw a pool for every query: the query itself first, then crystals that are no duplicates.

    The distractors come from `pool_size` − 1 other groups, drawn without replacement, one member each; so
    exactly one candidate of a pool is correct and all of them differ.

    Args:
        groups: (n,) group of each crystal, numbered from 0 without gaps.
        pool_size: number of candidates, N of an N-way question.
        seed: of the draw.

    Returns:
        (n, pool_size) rows of the gallery, or `None` where there are fewer groups than candidates.
    """
    members = np.split(np.argsort(groups, kind="stable"), np.cumsum(np.bincount(groups))[:-1])
    if len(groups) == 0 or len(members) < pool_size:
        return None
    random = np.random.RandomState(seed)
    pools = np.empty((len(groups), pool_size), dtype=np.int64)
    for query, own_group in enumerate(groups):
        others = random.choice(len(members) - 1, size=pool_size - 1, replace=False)
        others += others >= own_group  # the groups without the query's own
        pools[query, 0] = query
        pools[query, 1:] = [random.choice(members[group]) for group in others]
    return pools


def pool_ranks(queries: Embeddings, candidates: Embeddings, pools: NDArray[np.int64]) -> Ranks:
    """Rank the pool of every query; arguments as in `gallery_ranks` and `draw_pools`."""
    n, pool_size = pools.shape
    correct = np.zeros((1, pool_size), dtype=bool)
    correct[0, 0] = True
    ranks = np.empty(n)
    for query in range(n):
        scores = similarities(queries[query : query + 1], candidates[pools[query]])
        ranks[query] = expected_rank(scores, correct)[0]
    return Ranks(ranks, np.full(n, pool_size), np.ones(n, dtype=np.int64))
