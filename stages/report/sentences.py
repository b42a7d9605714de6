"""What the numbers say, in words. Nothing here knows a result in advance."""

from typing import Any

from stages.report.formatting import count, interval, number, percent
from stages.report.page import Verdict

Metrics = dict[str, Any]

MEAN = "the mean of the train split"
MEAN_SPECTRUM = "the mean spectrum of the train split"
FOREST = "the composition-only random forest"


def fusion_sentence(scores: Metrics, unit: str) -> str:
    """Say how far the fused prediction is off, and what each branch alone achieves."""
    if scores["fused_mae"] is None:
        return f"The {count(scores['n'], 'test crystal')} could not be scored: the model gave no finite number."
    confidence = interval(scores["fused_mae_low"], scores["fused_mae_high"], unit)
    return (
        f"On {count(scores['n'], 'test crystal')} the fused model is off by {number(scores['fused_mae'], unit)} "
        f"on average (95 % interval {confidence}). The structure branch alone is off by "
        f"{number(scores['structure_mae'], unit)}, the text branch alone by {number(scores['text_mae'], unit)}."
    )


def fusion_verdicts(scores: Metrics, unit: str) -> list[Verdict]:
    """Say of either baseline whether the fused prediction has the lower mean absolute error."""
    verdicts = []
    for name, key in ((MEAN, "mean_baseline"), (FOREST, "composition_forest")):
        better = scores[f"beats_{key}"]
        if better is None:
            verdicts.append(Verdict(None, f"It could not be compared with {name}."))
            continue
        error = f"{number(scores['fused_mae'], unit)} against {number(scores[f'{key}_mae'], unit)}"
        share = percent(scores[f"fused_mae_over_{key}"])
        words = "beats" if better else "does not beat"
        verdicts.append(Verdict(better, f"It {words} {name}: {error}, that is {share}."))
    return verdicts


def dos_sentence(scores: Metrics, unit: str) -> str:
    """Say how well spectra are predicted on average."""
    if scores["predicted_mae"] is None:
        return f"The {count(scores['n'], 'test crystal')} could not be scored: the model gave no finite number."
    return (
        f"On {count(scores['n'], 'test crystal')} the predicted spectrum explains on average R² = "
        f"{number(scores['predicted_r2'])} of the true one "
        f"(95 % interval {interval(scores['predicted_r2_low'], scores['predicted_r2_high'])}; "
        f"median {number(scores['predicted_r2_median'])}). The mean absolute error is "
        f"{number(scores['predicted_mae'])} of the highest peak, the Wasserstein distance "
        f"{number(scores['predicted_wasserstein'], unit)}."
    )


def dos_verdicts(scores: Metrics) -> list[Verdict]:
    """Say of either baseline whether the model is better in R², in mean absolute error, in both or in neither."""
    verdicts = []
    for name, key in ((MEAN_SPECTRUM, "mean_baseline"), (FOREST, "composition_forest")):
        if scores[f"beats_{key}"] is None:
            verdicts.append(Verdict(None, f"It could not be compared with {name}."))
            continue
        r2 = f"R² ({number(scores['predicted_r2'])} against {number(scores[f'{key}_r2'])})"
        mae = f"error ({number(scores['predicted_mae'])} against {number(scores[f'{key}_mae'])})"
        better_r2 = scores["predicted_r2"] > scores[f"{key}_r2"]
        better_mae = scores["predicted_mae"] < scores[f"{key}_mae"]
        if better_r2 == better_mae:
            words = "beats" if better_r2 else "does not beat"
            verdicts.append(Verdict(better_r2, f"It {words} {name}, in {r2} and in mean absolute {mae}."))
        else:
            won, lost = (r2, f"mean absolute {mae}") if better_r2 else (f"mean absolute {mae}", r2)
            verdicts.append(Verdict(False, f"It beats {name} in {won} but not in {lost}."))
    return verdicts


def retrieval_sentence(scores: Metrics, asked: str, sought: str) -> str:
    """Say how often the right answer comes first, and how often chance would find it."""
    top, chance = scores["top_1"], scores["top_1_chance"]
    confidence = f"{percent(scores['top_1_low'])} to {percent(scores['top_1_high'])}"
    return (
        f"Given {asked}, the right one of {count(scores['n'], sought)} comes first in {percent(top)} of all "
        f"queries (95 % interval {confidence}); chance is {percent(chance)}, so this is "
        f"{top / chance:.1f} times chance."
    )


def question_verdict(kind: str, scores: Metrics) -> Verdict:
    """Say whether the answers to one kind of question are better than chance."""
    if not scores["n"]:
        return Verdict(None, f"On {kind} no question could be asked.")
    above = scores["accuracy_low"] > scores["chance"]
    words = "clearly above chance" if above else "not clearly above chance"
    return Verdict(
        above,
        f"On {kind} {percent(scores['accuracy'])} of the answers are right "
        f"(95 % interval {percent(scores['accuracy_low'])} to {percent(scores['accuracy_high'])}): {words}, which is "
        f"{percent(scores['chance'])}. A scorer that reads only the options gets "
        f"{percent(scores['text_only_accuracy'])}.",
    )
