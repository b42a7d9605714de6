"""Accuracy on multiple-choice questions, of a model and of a scorer that sees the wording only."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stages.shared.bootstrap import Estimate, bootstrap_mean_of_means
from stages.zero_shot.questions import Question

Scores = Sequence[NDArray[np.float64]]
Metrics = dict[str, float | int | None]

# Scores closer than this are a tie, as in retrieval.
SCORE_DECIMALS = 6


def correctness(questions: Sequence[Question], scores: Scores) -> NDArray[np.float64]:
    """Return the probability that each question is answered right, (n_questions,).

    Of several options with the highest score one is taken at random, so the true one among $t$ of them counts
    $1/t$. A score that is not a number ranks last; if all are, the answer is a guess.

    Args:
        questions: n_questions.
        scores: for each question (n_options,), higher is better.
    """
    right = np.zeros(len(questions))
    for row, (question, values) in enumerate(zip(questions, scores, strict=True)):
        rounded = np.round(np.where(np.isnan(values), -np.inf, values), SCORE_DECIMALS)
        best = rounded == rounded.max()
        right[row] = best[question.answer] / best.sum()
    return right


def accuracy(questions: Sequence[Question], right: NDArray[np.float64], n_samples: int, seed: int) -> Estimate:
    """Return the mean over groups of the accuracy within each, with its 95 % interval.

    Args:
        questions: n_questions.
        right: (n_questions,) from `correctness`.
        n_samples: resamples of the questions within their groups.
        seed: of the resampling.
    """
    by_group: dict[str, list[float]] = defaultdict(list)
    for question, value in zip(questions, right, strict=True):
        by_group[question.group].append(value)
    return bootstrap_mean_of_means([np.array(values) for _, values in sorted(by_group.items())], n_samples, seed)


def question_metrics(
    questions: Sequence[Question], model: Scores, text_only: Scores, n_samples: int, seed: int
) -> Metrics:
    """Return the accuracies of the model and of the text-only scorer, with intervals, beside chance.

    Chance is the mean of 1 / (number of options). All but `n` are null where nothing is asked.
    """
    metrics: Metrics = {"n": len(questions), "chance": None}
    if questions:
        metrics["chance"] = float(np.mean([1.0 / len(question.options) for question in questions]))
    for name, scores in (("accuracy", model), ("text_only_accuracy", text_only)):
        estimate = accuracy(questions, correctness(questions, scores), n_samples, seed)
        metrics |= {name: estimate.mean, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return metrics
