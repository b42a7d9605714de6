"""Questions: well formed, shuffled, and impossible to answer from their wording."""

import json
from collections import Counter
from collections.abc import Sequence
from zlib import crc32

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.shared.params import load_params
from stages.zero_shot.chemistry import anion_class, composition_statement, element_set
from stages.zero_shot.multiple_choice import ask
from stages.zero_shot.question_scores import correctness, question_metrics
from stages.zero_shot.questions import (
    Question,
    anion_questions,
    composition_questions,
    crystal_system_questions,
    draw_blocks,
    released_questions,
)
from stages.zero_shot.text_only import text_only_scores
from tests.pipeline.imports import ROOT

FORMULAS = st.lists(
    st.sampled_from(["NaCl", "KCl", "Na2Cl", "MgO", "CaO", "ZnS", "Fe", "Cu", "CaTiO3", "SrTiO3", "LiCoO2", "GaAs"]),
    min_size=0,
    max_size=40,
)
SYSTEMS = st.lists(st.sampled_from(["cubic", "hexagonal", "trigonal", "triclinic"]), min_size=0, max_size=40)


def score_by_words(questions: Sequence[Question], salt: int) -> list[np.ndarray]:
    """Score each option by nothing but its words: any deterministic preference, here a different one per salt."""
    return [
        np.array([float(crc32(f"{salt}{option}".encode()) % 7) for option in question.options])
        for question in questions
    ]


@given(FORMULAS, st.integers(2, 6), st.integers(0, 5))
def test_any_text_only_scorer_is_exactly_at_chance_on_composition(
    formulas: list[str], n_options: int, salt: int
) -> None:
    questions = composition_questions(formulas, n_options, seed=0)
    scores = score_by_words(questions, salt)
    metrics = question_metrics(questions, scores, scores, 10, seed=0)
    if questions:
        assert metrics["text_only_accuracy"] == pytest.approx(metrics["chance"])
    else:
        assert metrics["text_only_accuracy"] is metrics["chance"] is None


@given(SYSTEMS, st.integers(0, 5))
def test_any_text_only_scorer_is_exactly_at_chance_on_crystal_system(systems: list[str], salt: int) -> None:
    questions = crystal_system_questions(systems, seed=0)
    scores = score_by_words(questions, salt)
    metrics = question_metrics(questions, scores, scores, 10, seed=0)
    if len(set(systems)) > 1:
        assert metrics["text_only_accuracy"] == pytest.approx(1 / len(set(systems)))
        assert metrics["chance"] == pytest.approx(1 / len(set(systems)))
    else:
        assert metrics["n"] == 0


def test_the_trained_text_only_scorer_is_at_chance_where_it_could_learn_a_habit() -> None:
    random = np.random.RandomState(0)
    cations, anions = ["Na", "K", "Mg", "Ca", "Zn", "Al"], ["O", "S", "Cl", "F", "N"]
    formulas = [f"{random.choice(cations)}{random.choice(anions, p=[0.6, 0.1, 0.1, 0.1, 0.1])}" for _ in range(300)]
    train, test = formulas[:200], formulas[200:]
    for make in (lambda some: composition_questions(some, 5, seed=0), lambda some: anion_questions(some, seed=0)):
        questions = make(test)
        scores = text_only_scores(make(train), questions, seed=0)
        metrics = question_metrics(questions, scores, scores, 10, seed=0)
        assert metrics["text_only_accuracy"] == pytest.approx(metrics["chance"])


def test_the_text_only_scorer_finds_the_answer_where_the_wording_gives_it_away() -> None:
    train = [Question(row, ("This is zinc.", "This is not."), 0, "all") for row in range(20)]
    test = [Question(0, ("This is not.", "This is lead."), 1, "all")]
    assert correctness(test, text_only_scores(train, test, seed=0)) == [1.0]


def test_without_train_questions_the_text_only_scorer_guesses() -> None:
    test = [Question(0, ("a", "b", "c", "d"), 2, "all")]
    assert correctness(test, text_only_scores([], test, seed=0)) == [0.25]
    assert text_only_scores(test, [], seed=0) == []


@given(FORMULAS, st.integers(2, 6))
def test_blocks_are_disjoint_and_of_different_sets_with_equally_many_elements(formulas: list[str], size: int) -> None:
    sets = [element_set(formula) for formula in formulas]
    blocks = draw_blocks(sets, size, np.random.RandomState(0))
    rows = [row for block in blocks for row in block]
    assert len(rows) == len(set(rows))
    for block in blocks:
        assert 2 <= len(block) <= size
        assert len({sets[row] for row in block}) == len(block)
        assert len({len(sets[row]) for row in block}) == 1


def test_blocks_leave_alone_only_what_has_no_partner() -> None:
    sets = [frozenset({"Na", "Cl"})] * 3 + [frozenset({"K", "Cl"})] * 3 + [frozenset({"Fe"})]
    blocks = draw_blocks(sets, 5, np.random.RandomState(0))
    assert sorted(row for block in blocks for row in block) == [0, 1, 2, 3, 4, 5]


@given(FORMULAS)
def test_exactly_the_true_composition_is_marked(formulas: list[str]) -> None:
    for question in composition_questions(formulas, 5, seed=0):
        true = composition_statement(element_set(formulas[question.row]))
        assert question.options[question.answer] == true
        assert len(set(question.options)) == len(question.options)


def test_answers_are_spread_over_the_places_and_follow_the_seed() -> None:
    systems = ["cubic", "hexagonal", "trigonal", "triclinic"] * 100
    questions = crystal_system_questions(systems, seed=0)
    places = Counter(question.answer for question in questions)
    assert all(70 <= places[place] <= 130 for place in range(4))
    assert questions == crystal_system_questions(systems, seed=0)
    assert questions != crystal_system_questions(systems, seed=1)
    for question in questions:
        assert systems[question.row] in question.options[question.answer]


def test_ties_count_their_share_and_a_diverged_model_guesses() -> None:
    question = Question(0, ("a", "b", "c", "d"), 1, "all")
    scores = [[0, 1, 1, 0], [0, 0, 0, 0], [2, 1, 0, 0], [np.nan] * 4, [np.nan, 0, np.nan, np.nan], [0, np.nan, 0, 0]]
    right = correctness([question] * 6, [np.array(one, dtype=float) for one in scores])
    np.testing.assert_allclose(right, [0.5, 0.25, 0.0, 0.25, 1.0, 0.0])


def test_macro_accuracy_weighs_classes_equally() -> None:
    questions = crystal_system_questions(["cubic"] * 9 + ["trigonal"], seed=0)
    always_cubic = [np.array([float("cubic" in option) for option in question.options]) for question in questions]
    metrics = question_metrics(questions, always_cubic, always_cubic, 50, seed=0)
    assert metrics["accuracy"] == pytest.approx(0.5)
    assert metrics["accuracy_low"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("CaTiO3", "oxide"),
        ("NaCl", "halide"),
        ("LaOF", "halide"),
        ("BiOCl", "oxide"),
        ("WTe2", "chalcogenide"),
        ("Bi2Te3", "chalcogenide"),
        ("GaAs", "pnictide"),
        ("PtSb2", "pnictide"),
        ("CuZn", "other"),
        ("SiC", "other"),
        ("LiH", "other"),
        ("Sb", "other"),
        ("Xe", "other"),
    ],
)
def test_anion_class_is_that_of_a_chemist(formula: str, expected: str) -> None:
    assert anion_class(element_set(formula)) == expected


def test_elements_are_named_alphabetically() -> None:
    assert composition_statement(element_set("AgCdSb")) == "This material contains antimony, cadmium and silver."
    assert composition_statement(element_set("NaCl")) == "This material contains chlorine and sodium."
    assert composition_statement(element_set("Fe")) == "This material contains iron."


def test_released_questions_keep_their_words_and_do_not_always_have_the_answer_first() -> None:
    systems = ["cubic", "hexagonal", "trigonal", "triclinic"]
    published = [
        json.dumps({"structure": [f"This material is {name}." for name in systems[place % 4 :] + systems[: place % 4]]})
        for place in range(200)
    ]
    questions = released_questions([None, *published], seed=0)["released_structure"]
    assert [question.row for question in questions] == list(range(1, 201))
    for question in questions:
        statements = json.loads(published[question.row - 1])["structure"]
        assert sorted(question.options) == sorted(statements)
        assert question.options[question.answer] == statements[0]
    # with 200 questions of four options each place is the answer 50 times, give or take six standard deviations
    assert all(abs(Counter(question.answer for question in questions)[place] - 50) < 37 for place in range(4))


def test_released_options_count_once_and_questions_without_a_choice_are_not_asked() -> None:
    no_oxide = "This material is not an oxide."
    published = {
        "oxide": [no_oxide, "This material is ozonide.", no_oxide],
        "stable": ["It is stable."] * 2,
        "empty": [],
    }
    asked = released_questions([json.dumps(published)], seed=1)
    assert set(asked) == {"released_oxide"}
    (question,) = asked["released_oxide"]
    assert sorted(question.options) == [no_oxide, "This material is ozonide."]
    assert question.options[question.answer] == no_oxide


def test_released_questions_are_scored_beside_ours_where_no_train_crystal_has_any() -> None:
    statements = ["This material is cubic.", "This material is trigonal."]
    test = pd.DataFrame(
        {
            "formula": ["NaCl", "Al2O3", "Cu"],
            "crystal_system": ["cubic", "trigonal", "cubic"],
            "questions": [json.dumps({"structure": order}) for order in (statements, statements[::-1])] + [None],
        }
    )
    train = test.assign(questions=None)

    def embed(texts: Sequence[str]) -> np.ndarray:
        return np.array([[float("cubic" in text), float("trigonal" in text)] for text in texts])

    crystals = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    metrics = ask(train, test, crystals, embed, load_params("zero_shot", path=ROOT / "params.yaml").zero_shot)
    released = metrics["released_structure"]
    assert (released["n"], released["accuracy"], released["chance"]) == (2, 1.0, 0.5)
    assert released["text_only_accuracy"] == 0.5
    assert set(metrics) == {"crystal_system", "composition", "anion_chemistry", "released_structure"}
