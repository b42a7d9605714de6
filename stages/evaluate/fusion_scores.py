"""The metrics of one fusion target: each branch of the model beside both baselines."""

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from stages.evaluate.regression import ratio, regression_scores
from stages.shared.bootstrap import bootstrap_mean

Numbers = NDArray[np.float64]
Metrics = dict[str, float | int | bool | None]


def fusion_metrics(true: Numbers, predictions: Mapping[str, Numbers], bootstrap_samples: int, seed: int) -> Metrics:
    """Score one split; errors in the unit of the target, null where not defined.

    Args:
        true: (n,) values.
        predictions: (n,) each: `fused`, `structure`, `text`, `mean_baseline`, `composition_forest`.
        bootstrap_samples: resamples for the interval of the fused MAE.
        seed: of the resampling.

    Returns:
        `n`; `<name>_mae`, `<name>_rmse`, `<name>_r2` for every prediction; the 95 % interval of
        `fused_mae`; the fused MAE over that of either baseline and whether it is lower.
    """
    metrics: Metrics = {"n": len(true)}
    for name, predicted in predictions.items():
        for score, value in asdict(regression_scores(true, predicted)).items():
            if score != "n":
                metrics[f"{name}_{score}"] = value
    interval = bootstrap_mean(np.abs(predictions["fused"] - true), bootstrap_samples, seed)
    metrics["fused_mae_low"], metrics["fused_mae_high"] = interval.low, interval.high
    for baseline in ("mean_baseline", "composition_forest"):
        quotient = ratio(metrics["fused_mae"], metrics[f"{baseline}_mae"])
        metrics[f"fused_mae_over_{baseline}"] = quotient
        metrics[f"beats_{baseline}"] = None if quotient is None else quotient < 1
    return metrics
