"""What the campaigns found, and how good their surrogate is."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.active.campaign import RANDOM, Campaigns
from stages.active.candidates import UNITS, Candidates, windows_of
from stages.active.surrogate import fit
from stages.shared.params import ActiveParams, ObjectiveParams


def campaign_scores(campaigns: Campaigns, candidates: Candidates, params: ActiveParams) -> dict[str, Any]:
    """Return for each objective and acquisition the hits among the labelled crystals.

    Hits of the random start count for all alike. `over_random` is the ratio to the hits of random choice, and
    `campaigns_above_random` counts the campaigns that found more than random choice from the same start. `formulas` is
    the mean number of different formulas among the hits: a polymorph, or the same crystal from another source, is
    easily found next to a known hit.
    `labels_to_half` is the mean number of labels at which half of all hits were found, null where a campaign ended
    before. `hits_after_round` are means, the first before any choice.
    """
    return {
        one.name: _objective_score(campaigns.get(one.name, {}), candidates, one, params) for one in params.objectives
    }


def _objective_score(
    by_acquisition: Mapping[str, list[list[int]]],
    candidates: Candidates,
    objective: ObjectiveParams,
    params: ActiveParams,
) -> dict[str, Any]:
    """Score the campaigns of one objective, of which there may be none."""
    windows = windows_of(objective)
    hit = candidates.hits(windows)
    n_hits = int(hit.sum())
    score: dict[str, Any] = {"n_candidates": len(candidates.known(windows)), "n_hits": n_hits, "acquisitions": {}}
    if not by_acquisition:
        return score
    curves = {
        name: np.stack([np.cumsum(hit[order], dtype=np.int64) for order in orders])
        for name, orders in by_acquisition.items()
    }
    ends = _round_ends(curves[RANDOM].shape[1], params)
    for name, orders in by_acquisition.items():
        formulas = [len({candidates.formulas[place] for place in order if hit[place]}) for order in orders]
        numbers = _score(curves[name], curves[RANDOM], ends, n_hits)
        score["acquisitions"][name] = {"formulas": float(np.mean(formulas)), **numbers}
    return {**score, "n_labels_after_round": ends.tolist()}


def _round_ends(n_labels: int, params: ActiveParams) -> NDArray[np.int64]:
    """Return the number of labels after each round, the random start being the first."""
    ends = np.arange(params.initial_labels, n_labels + params.batch_size, params.batch_size)
    return ends.clip(max=n_labels)


def _score(curve: NDArray[np.int64], chance: NDArray[np.int64], ends: NDArray[np.int64], n_hits: int) -> dict[str, Any]:
    """Score the hits after each label, (n_campaigns, n_labels), beside those of random choice."""
    after_round = curve[:, ends - 1]
    found, by_chance = curve[:, -1], chance[:, -1]
    half = 2 * curve >= n_hits
    to_half = float((half.argmax(axis=1) + 1).mean()) if half[:, -1].all() else None
    return {
        "hits": float(found.mean()),
        "hits_of_each_campaign": found.tolist(),
        "hits_after_round": after_round.mean(axis=0).tolist(),
        "hits_after_round_lowest": after_round.min(axis=0).tolist(),
        "hits_after_round_highest": after_round.max(axis=0).tolist(),
        "over_random": float(found.mean() / by_chance.mean()) if by_chance.any() else None,
        "campaigns_above_random": int((found > by_chance).sum()),
        "labels_to_half": to_half,
    }


def surrogate_scores(candidates: Candidates, params: ActiveParams) -> dict[str, Any]:
    """Return for each property how the surrogate, fitted to the train split, does on the test split.

    `coverage_68` and `coverage_95` are the shares of test crystals within one and 1.96 predicted standard deviations;
    0.68 and 0.95 are right. `rank_correlation` is Spearman's between deviation and error. All are null where a split
    has no label.
    """
    return {name: _surrogate_score(candidates, name, params) for name in sorted(candidates.properties)}


def _surrogate_score(candidates: Candidates, name: str, params: ActiveParams) -> dict[str, Any]:
    known = np.isfinite(candidates.properties[name])
    train = np.flatnonzero(known & (candidates.splits == "train"))
    test = np.flatnonzero(known & (candidates.splits == "test"))
    names = ("mae", "mean_baseline_mae", "r2", "coverage_68", "coverage_95", "rank_correlation")
    numbers: Sequence[float | None] = [None] * len(names)
    if len(train) and len(test):
        true = candidates.properties[name][test]
        posterior = fit(candidates, name, train, test, params)
        baseline = np.abs(true - candidates.properties[name][train].mean()).mean()
        numbers = _errors(true, posterior.mean, posterior.deviation, float(baseline))
    return {"n": len(test), "n_train": len(train), "unit": UNITS[name], **dict(zip(names, numbers, strict=True))}


def _errors(
    true: NDArray[np.float64], mean: NDArray[np.float64], deviation: NDArray[np.float64], baseline: float
) -> list[float | None]:
    from scipy.stats import spearmanr

    error = np.abs(true - mean)
    spread = np.square(true - true.mean()).sum()
    varies = len(true) > 2 and np.ptp(deviation) > 0 and np.ptp(error) > 0
    return [
        float(error.mean()),
        baseline,
        float(1 - np.square(error).sum() / spread) if spread > 0 else None,
        float((error <= deviation).mean()),
        float((error <= 1.96 * deviation).mean()),
        float(spearmanr(deviation, error).statistic) if varies else None,
    ]
