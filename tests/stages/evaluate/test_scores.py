"""The metrics of a fusion target and of a DOS kind say what the arrays say."""

import numpy as np
import pytest

from stages.evaluate.dos_predictions import PredictedSpectra, fill_unknown
from stages.evaluate.dos_scores import choose_examples, choose_gallery, dos_metrics, system_metrics
from stages.evaluate.fusion_scores import fusion_metrics
from stages.evaluate.spectra_metrics import spectra_errors

GRID = np.linspace(0.0, 1000.0, 51)
BRANCHES = ("fused", "structure", "text", "mean_baseline", "composition_forest")
SPECTRA = ("predicted", "predicted_global", "mean_baseline", "composition_forest")


def spectra_of(true: np.ndarray, predictions: dict[str, np.ndarray]) -> PredictedSpectra:
    """Up to six crystals A to F, the first three of them cubic, all bins known."""
    n = len(true)
    return PredictedSpectra(
        material_ids=[f"mp-{row}" for row in range(n)],
        formulas=list("ABCDEF"[:n]),
        crystal_systems=["cubic" if row < 3 else "triclinic" for row in range(n)],
        splits=np.array(["test"] * n, dtype=object),
        true=true,
        known=np.ones(true.shape, dtype=bool),
        delivered_states=np.full(n, 3.0),
        predictions=predictions,
    )


def with_errors(true: np.ndarray, names: tuple[str, ...], errors: list[float]) -> dict[str, np.ndarray]:
    return {name: true + error for name, error in zip(names, errors, strict=True)}


def test_fusion_metrics_compare_the_fused_branch_with_both_baselines() -> None:
    true = np.linspace(-1.0, 3.0, 9)
    metrics = fusion_metrics(true, with_errors(true, BRANCHES, [0.1, 0.2, -0.4, 1.0, 0.08]), 50, seed=0)
    assert metrics["n"] == 9
    assert metrics["text_mae"] == pytest.approx(0.4)
    assert metrics["fused_mae_low"] == pytest.approx(0.1)
    assert metrics["fused_mae_over_mean_baseline"] == pytest.approx(0.1)
    assert metrics["fused_mae_over_composition_forest"] == pytest.approx(1.25)
    assert metrics["beats_mean_baseline"] is True
    assert metrics["beats_composition_forest"] is False


def test_dos_model_beats_a_baseline_only_where_it_is_better_in_both_scores() -> None:
    true = np.random.RandomState(0).rand(6, 51)
    forest = true.copy()
    forest[:, :20] += 0.08
    predictions = with_errors(true, SPECTRA, [0.05, 0.06, 0.5, 0.0]) | {"composition_forest": forest}
    metrics = dos_metrics(spectra_of(true, predictions), GRID, 50, seed=0)
    assert metrics["beats_mean_baseline"] is True
    assert metrics["predicted_mae"] > metrics["composition_forest_mae"]
    assert metrics["predicted_r2"] > metrics["composition_forest_r2"]
    assert metrics["beats_composition_forest"] is False


def test_every_metric_of_an_empty_split_is_null() -> None:
    fusion = fusion_metrics(np.zeros(0), dict.fromkeys(BRANCHES, np.zeros(0)), 50, seed=0)
    nothing = spectra_of(np.zeros((0, 51)), dict.fromkeys(SPECTRA, np.zeros((0, 51))))
    dos = dos_metrics(nothing, GRID, 50, seed=0)
    for metrics in (fusion, dos):
        assert metrics.pop("n") == 0
        assert set(metrics.values()) == {None}


def test_a_missing_baseline_is_null_and_leaves_the_model_its_scores() -> None:
    true = np.arange(5.0)
    predictions = with_errors(true, BRANCHES, [0.1, 0.2, 0.3, np.nan, np.nan])
    metrics = fusion_metrics(true, predictions, 50, seed=0)
    assert metrics["fused_mae"] == pytest.approx(0.1)
    assert metrics["mean_baseline_mae"] is metrics["beats_mean_baseline"] is None


def test_examples_are_the_best_the_median_and_the_worst_crystal() -> None:
    true = np.random.RandomState(0).rand(5, 51)
    predicted = true + np.array([0.4, 0.1, 0.3, 0.0, 0.2])[:, None]
    spectra = spectra_of(true, {"predicted": predicted})
    errors = spectra_errors(true, predicted, spectra.known, GRID)
    order = np.argsort(-errors.r2)
    examples = choose_examples(spectra, errors)
    assert [example.role for example in examples] == ["best", "median", "worst"]
    assert [example.formula for example in examples] == ["ABCDE"[order[rank]] for rank in (0, 2, 4)]
    assert examples[0].formula == "D"
    nothing = spectra.take(np.arange(0))
    assert choose_examples(nothing, errors.take(np.arange(0))) == []
    assert choose_gallery(nothing, errors.take(np.arange(0))) == {}


def test_each_crystal_system_is_scored_and_shown_by_its_own_crystals() -> None:
    true = np.random.RandomState(0).rand(5, 51)
    predicted = true + np.array([0.4, 0.1, 0.3, 0.0, 0.2])[:, None]
    spectra = spectra_of(true, {"predicted": predicted})
    errors = spectra_errors(true, predicted, spectra.known, GRID)
    metrics, gallery = system_metrics(spectra.crystal_systems, errors), choose_gallery(spectra, errors)
    assert list(metrics) == list(gallery) == ["cubic", "triclinic"]
    assert metrics["cubic"]["mae"] == pytest.approx((0.4 + 0.1 + 0.3) / 3)
    assert metrics["triclinic"]["mae"] == pytest.approx(0.1)
    assert [metrics[system]["n"] for system in gallery] == [3, 2]
    assert {example.formula for example in gallery["triclinic"]} == {"D", "E"}
    assert gallery["cubic"][0].formula == "B"


def test_unknown_bins_are_filled_with_the_mean_of_the_training_crystals_that_know_them() -> None:
    true = np.array([[1.0, 2.0, 0.0], [3.0, 0.0, 0.0], [9.0, 0.0, 0.0]])
    known = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 1]], dtype=bool)
    filled = fill_unknown(true, known, np.array([True, True, False]))
    assert filled.tolist() == [[1.0, 2.0, 0.0], [3.0, 2.0, 0.0], [9.0, 2.0, 0.0]]
