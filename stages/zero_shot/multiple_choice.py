"""All kinds of questions, asked to the model and to the text-only scorer."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stages.shared.params import ZeroShotParams
from stages.zero_shot.question_scores import Metrics, Scores, question_metrics
from stages.zero_shot.questions import (
    Question,
    anion_questions,
    composition_questions,
    crystal_system_questions,
    released_questions,
)
from stages.zero_shot.retrieval import similarities
from stages.zero_shot.text_only import text_only_scores

if TYPE_CHECKING:
    import pandas as pd


def make_questions(crystals: "pd.DataFrame", params: ZeroShotParams) -> dict[str, list[Question]]:
    """Make the questions on some crystals; columns `formula`, `crystal_system` and `questions`."""
    formulas = crystals["formula"].tolist()
    return {
        "crystal_system": crystal_system_questions(crystals["crystal_system"].tolist(), params.seed),
        "composition": composition_questions(formulas, params.composition_options, params.seed),
        "anion_chemistry": anion_questions(formulas, params.seed),
        **released_questions(crystals["questions"].tolist(), params.seed),
    }


def score_options(
    questions: Sequence[Question],
    crystals: NDArray[np.floating],
    embed: Callable[[Sequence[str]], NDArray[np.floating]],
) -> Scores:
    """Return the cosine similarity of each question's crystal with each of its options.

    Args:
        questions: whose rows are rows of `crystals`.
        crystals: (n, dim) L2-normalised embeddings.
        embed: gives the L2-normalised embeddings of texts, (n_texts, dim).
    """
    statements = sorted({option for question in questions for option in question.options})
    if not statements:
        return []
    row_of = {statement: row for row, statement in enumerate(statements)}
    embedded = embed(statements)
    return [
        similarities(
            crystals[question.row : question.row + 1],
            embedded[[row_of[option] for option in question.options]],
        )[0]
        for question in questions
    ]


def ask(
    train: "pd.DataFrame",
    test: "pd.DataFrame",
    embeddings: NDArray[np.floating],
    embed: Callable[[Sequence[str]], NDArray[np.floating]],
    params: ZeroShotParams,
) -> dict[str, Metrics]:
    """Ask all questions on the test crystals; the text-only scorer learns from those on the train crystals.

    Args:
        train: columns `formula`, `crystal_system` and `questions`.
        test: the same; row i has embedding i.
        embeddings: (n_test, dim) L2-normalised embeddings of the test crystals.
        embed: gives the L2-normalised embeddings of texts.
        params: the `zero_shot` section.
    """
    to_learn = make_questions(train, params)
    return {
        kind: question_metrics(
            questions,
            score_options(questions, embeddings, embed),
            text_only_scores(to_learn.get(kind, []), questions, params.seed),
            params.bootstrap_samples,
            params.seed,
        )
        for kind, questions in make_questions(test, params).items()
    }
