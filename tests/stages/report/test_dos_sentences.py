"""The words on densities of states follow the recipe and the scores, also where the model loses."""

from typing import Any, Literal

import pytest

from stages.report.dos_sentences import dos_sentence, dos_verdicts, recipe_sentence, sum_rule_sentence
from stages.shared.params import DosKindParams


def setting(normalization: Literal["max", "sum", "none"], beyond: Literal["zero", "unknown"]) -> DosKindParams:
    return DosKindParams(
        minimum=0.0,
        maximum=1000.0,
        bins=51,
        unit="cm⁻¹",
        smoothing_width=100.0,
        smoothing_order=3,
        beyond=beyond,
        states_per_atom=3.0,
        normalization=normalization,
    )


def scores(r2: float | None, mae: float | None, **others: float | None) -> dict[str, Any]:
    model: dict[str, float | None] = {"n": 12, "predicted_r2": r2, "predicted_mae": mae, "predicted_r2_median": 0.6}
    model |= {"predicted_r2_low": 0.4, "predicted_r2_high": 0.7, "predicted_wasserstein": 20.0}
    baselines: dict[str, float | None] = {"mean_baseline_r2": 0.5, "mean_baseline_mae": 0.1}
    baselines |= {"composition_forest_r2": None, "composition_forest_mae": None}
    return {**model, "predicted_fail_rate": 0.25, **baselines, **others}


def test_only_spectra_with_a_peak_of_one_are_measured_by_their_peak() -> None:
    for normalization in ("max", "sum", "none"):
        words = dos_sentence(scores(0.5, 0.1), setting(normalization, "zero"))
        words += recipe_sentence(setting(normalization, "zero"))
        assert ("highest peak" in words) == (normalization == "max")
        assert ("states per atom" in words) == (normalization == "none")


def test_bins_beyond_the_delivered_ones_are_scored_only_where_they_are_known_to_be_empty() -> None:
    assert "are not known and not scored" in recipe_sentence(setting("max", "unknown"))
    assert "hold no states and count as zero" in recipe_sentence(setting("max", "zero"))


def test_the_fail_rate_is_a_percentage() -> None:
    assert "R² below 0, is 25 %" in dos_sentence(scores(0.5, 0.1), setting("max", "zero"))
    assert "could not be scored" in dos_sentence(scores(None, None), setting("max", "zero"))


@pytest.mark.parametrize(
    ("r2", "mae", "good", "words"),
    [
        (0.7, 0.05, True, "It beats the mean spectrum of the train split, in R² (0.700 against 0.500) and in mean"),
        (0.4, 0.20, False, "It does not beat the mean spectrum"),
        (0.7, 0.20, False, "in R² (0.700 against 0.500) but not in mean absolute error (0.200 against 0.100)"),
        (0.4, 0.05, False, "in mean absolute error (0.0500 against 0.100) but not in R² (0.400 against 0.500)"),
    ],
)
def test_a_dos_model_must_win_in_both_scores(r2: float, mae: float, good: bool, words: str) -> None:
    mean, forest = dos_verdicts(scores(r2, mae))
    assert mean.good is good
    assert words in mean.sentence
    assert forest.good is None


def test_the_model_is_set_beside_the_strongest_network() -> None:
    networks = {
        "mlp_r2": 0.3,
        "mlp_mae": 0.3,
        "graph_network_r2": 0.8,
        "graph_network_mae": 0.05,
        "mlp_energies_r2": None,
    }
    *_, verdict = dos_verdicts(scores(0.7, 0.1, **networks))
    assert verdict.good is False
    assert (
        "does not beat the best of the simple networks (graph network), in R² (0.700 against 0.800)" in verdict.sentence
    )


def test_the_sum_rule_is_stated_with_what_was_delivered() -> None:
    rule = {"delivered_states_per_atom": 2.5, "expected_states_per_atom": 3.0, "share_within_5_percent": 0.5}
    words = sum_rule_sentence(rule)
    assert "hold 2.50 states" in words
    assert "50 % of them" in words
    nothing = {"delivered_states_per_atom": None, "expected_states_per_atom": 3.0, "share_within_5_percent": None}
    assert "not known" in sum_rule_sentence(nothing)
