"""The control of the questions: a scorer that reads the options and never sees a crystal.

It is trained to tell true from false statements on the questions of the train split, so any habit in the wording of
true answers is there for it to find. Questions whose wrong element sets are drawn at random are given away by it: real
element sets look different.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stages.zero_shot.questions import Question


def text_only_scores(train: Sequence[Question], test: Sequence[Question], seed: int) -> list[NDArray[np.float64]]:
    """Score the options of the test questions by logistic regression on their character n-grams.

    Args:
        train: questions with known answers.
        test: questions to answer.
        seed: of the solver.

    Returns:
        For each test question (n_options,) log-odds of being true; all 0 where there is nothing to learn from.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    if not train or not test:
        return [np.zeros(len(question.options)) for question in test]
    statements = [option for question in train for option in question.options]
    is_true = [place == question.answer for question in train for place in range(len(question.options))]
    n_grams = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), lowercase=False)
    classifier = LogisticRegression(max_iter=1000, random_state=seed)
    classifier.fit(n_grams.fit_transform(statements), is_true)
    # One prediction per distinct statement, so that the same words always get the same score.
    distinct = sorted({option for question in test for option in question.options})
    log_odds = dict(zip(distinct, classifier.decision_function(n_grams.transform(distinct)), strict=True))
    return [np.array([log_odds[option] for option in question.options]) for question in test]
