"""What the numbers of properties, retrieval and questions say, in words. Nothing here knows a result in advance."""

from typing import Any

from stages.report.formatting import count, interval, number, percent
from stages.report.page import Verdict

Metrics = dict[str, Any]

MEAN = "the mean of the train split"
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
