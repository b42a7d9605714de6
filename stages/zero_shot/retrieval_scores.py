"""Top-k accuracy and mean reciprocal rank of a set of ranks, with intervals and chance."""

from collections.abc import Mapping, Sequence

import numpy as np

from stages.shared.bootstrap import bootstrap_mean
from stages.zero_shot.chance import chance_scores
from stages.zero_shot.galleries import WHOLE
from stages.zero_shot.retrieval import Ranks

TOP_K = (1, 3, 10)
CURVE_LENGTH = 30

Metrics = dict[str, float | int | None]


def retrieval_metrics(ranks: Ranks | None, bootstrap_samples: int, seed: int) -> Metrics:
    """Return `n`, and for top-1, top-3, top-10 and MRR the mean, its 95 % interval and chance.

    A query counts for top-k where its expected rank is at most k.

    Args:
        ranks: the outcome, `None` where the gallery is too small to ask.
        bootstrap_samples: resamples of the queries.
        seed: of the resampling.
    """
    names = [*(f"top_{k}" for k in TOP_K), "mrr"]
    if ranks is None or len(ranks.rank) == 0:
        return {"n": 0} | {f"{name}{end}": None for name in names for end in ("", "_low", "_high", "_chance")}
    top_chance, mrr_chance = chance_scores(ranks.n_candidates, ranks.n_correct, TOP_K)
    values = [*(ranks.rank <= k for k in TOP_K), 1.0 / ranks.rank]
    metrics: Metrics = {"n": len(ranks.rank)}
    for name, value, chance in zip(names, values, [*top_chance.values(), mrr_chance], strict=True):
        estimate = bootstrap_mean(value.astype(np.float64), bootstrap_samples, seed)
        metrics |= {name: estimate.mean, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        metrics[f"{name}_chance"] = chance
    return metrics


def retrieval_curve(ranks: Mapping[str, Mapping[str, Ranks | None]]) -> list[Sequence[float]]:
    """Return rows of k, both top-k accuracies and chance for k = 1, 2 and so on, up to 30 or the gallery's size.

    Args:
        ranks: by direction and pool; the whole gallery is drawn.
    """
    to_crystal, to_text = ranks["text_to_crystal"][WHOLE], ranks["crystal_to_text"][WHOLE]
    if to_crystal is None or to_text is None or len(to_crystal.rank) == 0:
        return []
    top_k = tuple(range(1, min(len(to_crystal.rank), CURVE_LENGTH) + 1))
    chance, _ = chance_scores(to_crystal.n_candidates, to_crystal.n_correct, top_k)
    return [(k, float((to_crystal.rank <= k).mean()), float((to_text.rank <= k).mean()), chance[k]) for k in top_k]
