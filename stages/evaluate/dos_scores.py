"""The metrics of one kind of density of states, and which test crystals to show."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from stages.evaluate.charts import Example
from stages.evaluate.regression import finite_or_none, ratio
from stages.evaluate.spectra_metrics import Spectra, SpectraErrors, spectra_errors
from stages.shared.bootstrap import bootstrap_mean

Metrics = dict[str, float | int | bool | None]


def dos_metrics(
    true: Spectra,
    predictions: Mapping[str, Spectra],
    grid: NDArray[np.float64],
    bootstrap_samples: int,
    seed: int,
) -> Metrics:
    """Score one split; every score is the mean over crystals, null where not defined.

    Args:
        true: (n, n_bins), rows divided by their own maximum.
        predictions: (n, n_bins) each: `predicted`, `predicted_global`, `mean_baseline`, `composition_forest`.
        grid: (n_bins,) eV or cm⁻¹.
        bootstrap_samples: resamples for the intervals.
        seed: of the resampling.

    Returns:
        `n`; `<name>_mae`, `_rmse`, `_r2`, `_wasserstein` for every prediction; the median R² and the 95 %
        intervals of MAE and R² of `predicted`; its MAE over that of either baseline, and whether it is
        better than the baseline in both MAE and R².
    """
    errors = {name: spectra_errors(true, predicted, grid) for name, predicted in predictions.items()}
    metrics: Metrics = {"n": len(true)}
    for name, one in errors.items():
        metrics |= {f"{name}_{score}": value for score, value in one.means().items()}
    model = errors["predicted"]
    metrics["predicted_r2_median"] = finite_or_none(np.median(model.r2)) if len(true) else None
    for score, values in (("mae", model.mae), ("r2", model.r2)):
        interval = bootstrap_mean(values, bootstrap_samples, seed)
        metrics[f"predicted_{score}_low"] = interval.low
        metrics[f"predicted_{score}_high"] = interval.high
    for baseline in ("mean_baseline", "composition_forest"):
        metrics[f"predicted_mae_over_{baseline}"] = ratio(metrics["predicted_mae"], metrics[f"{baseline}_mae"])
        metrics[f"beats_{baseline}"] = _is_better(metrics, baseline)
    return metrics


def _is_better(metrics: Metrics, baseline: str) -> bool | None:
    mae, baseline_mae = metrics["predicted_mae"], metrics[f"{baseline}_mae"]
    r2, baseline_r2 = metrics["predicted_r2"], metrics[f"{baseline}_r2"]
    if mae is None or baseline_mae is None or r2 is None or baseline_r2 is None:
        return None
    return mae < baseline_mae and r2 > baseline_r2


def choose_examples(formulas: Sequence[str], true: Spectra, predicted: Spectra, errors: SpectraErrors) -> list[Example]:
    """Return the crystals with the highest, the median and the lowest R²; none of no crystal."""
    if len(true) == 0:
        return []
    from_best = np.argsort(-errors.r2, kind="stable")
    rows = {"best": from_best[0], "median": from_best[len(from_best) // 2], "worst": from_best[-1]}
    return [
        Example(role, formulas[row], float(errors.r2[row]), true[row], predicted[row]) for role, row in rows.items()
    ]
