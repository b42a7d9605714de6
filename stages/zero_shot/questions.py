"""Multiple-choice questions: ours, whose wording gives nothing away, and those a data set of narratives brings along.

Of ours, a scorer that sees only the options, not the crystal, must stay at chance. Two designs make that exact:

* composition: *blocks* of crystals with equally many elements and pairwise different element sets. Every crystal
  of a block is asked over the same options, the statements of the block. Whatever option such a scorer prefers, it
  is right for one crystal of the block and wrong for the others.
* crystal system and anion chemistry: the options are the same class statements for every crystal, and the score is
  the mean over classes of the accuracy within the class. Whatever class such a scorer prefers, it has one class all
  right and the others all wrong.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stages.zero_shot.chemistry import (
    ANION_CLASSES,
    anion_class,
    composition_statement,
    element_set,
)


@dataclass(frozen=True)
class Question:
    """One crystal and the statements it is asked about.

    Args:
        row: of the crystal in the list the questions were made from.
        options: statements in shuffled order, all different.
        answer: index of the true one.
        group: the class where classes are averaged, the same word for all where questions are.
    """

    row: int
    options: tuple[str, ...]
    answer: int
    group: str


def crystal_system_questions(systems: Sequence[str], seed: int) -> list[Question]:
    """Ask each crystal for its crystal system, among those that occur."""
    statements = {system: f"The crystal system of this material is {system}." for system in set(systems)}
    return _class_questions(systems, statements, seed)


def anion_questions(formulas: Sequence[str], seed: int) -> list[Question]:
    """Ask each crystal for the class of its anion, among those that occur."""
    classes = [anion_class(element_set(formula)) for formula in formulas]
    return _class_questions(classes, {name: ANION_CLASSES[name] for name in set(classes)}, seed)


def composition_questions(formulas: Sequence[str], n_options: int, seed: int) -> list[Question]:
    """Ask each crystal for its elements, among those of the other crystals of its block.

    Crystals left over without a partner are not asked.

    Args:
        formulas: (n,) one per crystal.
        n_options: crystals in a block; the last blocks may be smaller, down to 2.
        seed: of the blocks and of the order of the options.
    """
    random = np.random.RandomState(seed)
    questions = []
    for block in draw_blocks([element_set(formula) for formula in formulas], n_options, random):
        statements = {row: composition_statement(element_set(formulas[row])) for row in block}
        for row in block:
            options, answer = _shuffled(list(statements.values()), statements[row], random)
            questions.append(Question(row, options, answer, group="all"))
    return sorted(questions, key=lambda question: question.row)


def released_questions(questions: Sequence[str | None], seed: int) -> dict[str, list[Question]]:
    """Ask each crystal what its narrative's data set asks, by `released_<name>`, sorted by name.

    The wording is the published one, which may give the answer away; the text-only scorer tells how far. Options that
    are said twice count once, and a question that leaves no choice is not asked.

    Args:
        questions: (n,) the column `questions` of the table of crystals, one per crystal.
        seed: of the order of the options.
    """
    random = np.random.RandomState(seed)
    asked: dict[str, list[Question]] = {}
    for row, text in enumerate(questions):
        for name, statements in json.loads(text or "{}").items():
            distinct = list(dict.fromkeys(statement for statement in statements if statement))
            if len(distinct) > 1 and statements[0]:
                options, answer = _shuffled(distinct, distinct[0], random)
                asked.setdefault(f"released_{name}", []).append(Question(row, options, answer, group="all"))
    return dict(sorted(asked.items()))


def draw_blocks(sets: Sequence[frozenset[str]], block_size: int, random: np.random.RandomState) -> list[list[int]]:
    """Partition crystals into blocks of equally many elements and pairwise different element sets.

    Each block takes one crystal of each of the sets with most crystals left, equal ones in random order, so that as
    few as possible remain alone.

    Args:
        sets: (n,) the elements of each crystal.
        block_size: crystals in a block.
        random: source of the draw.

    Returns:
        blocks of 2 to `block_size` rows; a row is in at most one.
    """
    by_count: dict[int, dict[frozenset[str], list[int]]] = defaultdict(lambda: defaultdict(list))
    for row in random.permutation(len(sets)):
        by_count[len(sets[row])][sets[row]].append(int(row))
    blocks = []
    for _, remaining in sorted(by_count.items()):
        while len(remaining) >= 2:
            fullest = sorted(remaining, key=lambda elements: -len(remaining[elements]))[:block_size]
            blocks.append([remaining[elements].pop() for elements in fullest])
            for elements in fullest:
                if not remaining[elements]:
                    del remaining[elements]
    return blocks


def _class_questions(classes: Sequence[str], statements: Mapping[str, str], seed: int) -> list[Question]:
    """Ask each crystal for its class; none where all belong to one."""
    if len(statements) < 2:
        return []
    random = np.random.RandomState(seed)
    options = [statements[name] for name in sorted(statements)]
    return [
        Question(row, *_shuffled(options, statements[name], random), group=name) for row, name in enumerate(classes)
    ]


def _shuffled(options: Sequence[str], true: str, random: np.random.RandomState) -> tuple[tuple[str, ...], int]:
    shuffled = tuple(options[place] for place in random.permutation(len(options)))
    return shuffled, shuffled.index(true)
