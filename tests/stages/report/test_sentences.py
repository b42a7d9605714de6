"""The words agree with the numbers, also where the model loses."""

from typing import Any

import pytest

from stages.report.sentences import (
    fusion_sentence,
    fusion_verdicts,
    question_verdict,
    retrieval_sentence,
)


def fusion_scores(fused: float, mean: float, forest: float) -> dict[str, Any]:
    return {
        "n": 80,
        "fused_mae": fused,
        "fused_mae_low": 0.9 * fused,
        "fused_mae_high": 1.1 * fused,
        "structure_mae": 0.3,
        "text_mae": 0.5,
        "mean_baseline_mae": mean,
        "composition_forest_mae": forest,
        "fused_mae_over_mean_baseline": fused / mean,
        "fused_mae_over_composition_forest": fused / forest,
        "beats_mean_baseline": fused < mean,
        "beats_composition_forest": fused < forest,
    }


def test_a_model_that_loses_to_the_forest_is_said_to_lose() -> None:
    mean, forest = fusion_verdicts(fusion_scores(0.2, 1.0, 0.1), "eV")
    assert mean.good is True
    assert mean.sentence == "It beats the mean of the train split: 0.200 eV against 1.00 eV, that is 20 %."
    assert forest.good is False
    assert forest.sentence.startswith("It does not beat the composition-only random forest: 0.200 eV against 0.100 eV")


def test_a_missing_baseline_is_said_to_be_missing() -> None:
    scores = fusion_scores(0.2, 1.0, 0.1) | {"beats_mean_baseline": None}
    assert fusion_verdicts(scores, "eV")[0].good is None
    assert "could not be compared" in fusion_verdicts(scores, "eV")[0].sentence


def test_errors_are_named_with_their_unit_and_interval() -> None:
    sentence = fusion_sentence(fusion_scores(0.2, 1.0, 0.1), "eV/atom")
    assert "On 80 test crystals the fused model is off by 0.200 eV/atom" in sentence
    assert "95 % interval 0.180 to 0.220 eV/atom" in sentence
    diverged = fusion_sentence(fusion_scores(0.2, 1.0, 0.1) | {"fused_mae": None}, "eV")
    assert "could not be scored" in diverged


def test_retrieval_is_compared_with_chance() -> None:
    scores = {"n": 100, "top_1": 0.25, "top_1_low": 0.2, "top_1_high": 0.3, "top_1_chance": 0.01}
    sentence = retrieval_sentence(scores, "a text", "crystal")
    assert "the right one of 100 crystals comes first in 25 %" in sentence
    assert "25.0 times chance" in sentence


@pytest.mark.parametrize(("low", "good"), [(0.3, True), (0.1, False)])
def test_answers_are_above_chance_only_if_their_interval_is(low: float, good: bool) -> None:
    scores = {"n": 50, "accuracy": 0.4, "accuracy_low": low, "accuracy_high": 0.5, "chance": 0.2}
    verdict = question_verdict("composition", scores | {"text_only_accuracy": 0.2})
    assert verdict.good is good
    assert ("not clearly above chance" in verdict.sentence) is not good
    assert question_verdict("composition", {"n": 0}).good is None
