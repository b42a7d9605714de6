"""The metrics of one kind of density of states, and which test crystals to show."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.crystal_systems import CRYSTAL_SYSTEMS
from stages.evaluate.dos_charts import Example
from stages.evaluate.dos_physics import physical_quantities, physics_metrics, sum_rule_metrics
from stages.evaluate.dos_predictions import PredictedSpectra
from stages.evaluate.regression import finite_or_none, ratio
from stages.evaluate.spectra_metrics import RESCALINGS, SpectraErrors, rescaled_errors, spectra_errors
from stages.shared.bootstrap import bootstrap_mean
from stages.shared.params import DosKindParams, EvaluateParams

Metrics = dict[str, float | int | bool | None]
Grid = NDArray[np.float64]


def split_metrics(
    spectra: PredictedSpectra,
    grid: Grid,
    setting: DosKindParams,
    params: EvaluateParams,
    thresholds: Mapping[str, float],
) -> dict[str, Any]:
    """Return everything that is measured on one split.

    Args:
        spectra: the crystals of the split.
        grid: (n_bins,) eV or cm⁻¹.
        setting: the kind's recipe.
        params: of the intervals and of the physics.
        thresholds: by prediction, below which share of its maximum a DOS counts as zero.

    Returns:
        The scores of `dos_metrics`, and under `by_crystal_system`, `rescaled`, `physics` and `sum_rule` (where the
        recipe names a number of states) those of the functions below and of `dos_physics`.
    """
    quantities = physical_quantities(
        spectra.true, spectra.predictions, spectra.known, grid, setting, params, thresholds
    )
    errors = spectra_errors(spectra.true, spectra.predictions["predicted"], spectra.known, grid)
    metrics: dict[str, Any] = dict(dos_metrics(spectra, grid, params.bootstrap_samples, params.seed))
    metrics["by_crystal_system"] = system_metrics(spectra.crystal_systems, errors)
    metrics["rescaled"] = rescaled_metrics(spectra, grid)
    metrics["physics"] = physics_metrics(quantities)
    if setting.states_per_atom is not None:
        metrics["sum_rule"] = sum_rule_metrics(spectra.delivered_states, setting.states_per_atom)
    return metrics


def dos_metrics(spectra: PredictedSpectra, grid: Grid, bootstrap_samples: int, seed: int) -> Metrics:
    """Score one split; every score is the mean over crystals, null where not defined.

    Args:
        spectra: the crystals of the split.
        grid: (n_bins,) eV or cm⁻¹.
        bootstrap_samples: resamples for the intervals.
        seed: of the resampling.

    Returns:
        `n`; `<name>_mae`, `_mse`, `_rmse`, `_r2`, `_wasserstein`, `_fail_rate` for every prediction; the median R² and
        the 95 % intervals of MAE and R² of `predicted`; its MAE over that of either baseline, and whether it is better
        than the baseline in both MAE and R².
    """
    errors = {
        name: spectra_errors(spectra.true, predicted, spectra.known, grid)
        for name, predicted in spectra.predictions.items()
    }
    metrics: Metrics = {"n": len(spectra)}
    for name, one in errors.items():
        metrics |= {f"{name}_{score}": value for score, value in one.means().items()}
    model = errors["predicted"]
    metrics["predicted_r2_median"] = finite_or_none(np.median(model.r2)) if len(spectra) else None
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


def rescaled_metrics(spectra: PredictedSpectra, grid: Grid) -> dict[str, dict[str, Metrics]]:
    """Score the shapes alone, to be set beside the results of Mat2Spec: `[max or sum][prediction][score]`."""
    return {
        normalization: {
            name: dict(rescaled_errors(spectra.true, predicted, spectra.known, grid, normalization).means())
            for name, predicted in spectra.predictions.items()
        }
        for normalization in RESCALINGS
    }


def system_metrics(crystal_systems: Sequence[str], errors: SpectraErrors) -> dict[str, Metrics]:
    """Average the scores over the crystals of each crystal system that is there.

    Args:
        crystal_systems: n names.
        errors: of the same n crystals.
    """
    rows_of = rows_of_systems(crystal_systems)
    return {system: {"n": len(rows)} | errors.take(rows).means() for system, rows in rows_of.items()}


def rows_of_systems(crystal_systems: Sequence[str]) -> dict[str, NDArray[np.intp]]:
    """Return the rows of each crystal system that is there, from cubic to triclinic."""
    systems = np.array(crystal_systems, dtype=object)
    rows = {system: np.flatnonzero(systems == system) for system in CRYSTAL_SYSTEMS}
    return {system: places for system, places in rows.items() if len(places)}


def choose_examples(spectra: PredictedSpectra, errors: SpectraErrors) -> list[Example]:
    """Return the crystals with the highest, the median and the lowest R²; none of no crystal."""
    if len(spectra) == 0:
        return []
    predicted = spectra.predictions["predicted"]
    from_best = np.argsort(-errors.r2, kind="stable")
    rows = {"best": from_best[0], "median": from_best[len(from_best) // 2], "worst": from_best[-1]}
    return [
        Example(
            role, spectra.formulas[row], float(errors.r2[row]), spectra.true[row], predicted[row], spectra.known[row]
        )
        for role, row in rows.items()
    ]


def choose_gallery(spectra: PredictedSpectra, errors: SpectraErrors) -> dict[str, list[Example]]:
    """Return the best, the median and the worst crystal of each crystal system that is there."""
    rows_of = rows_of_systems(spectra.crystal_systems)
    return {system: choose_examples(spectra.take(rows), errors.take(rows)) for system, rows in rows_of.items()}
