"""Every element has its share in every split, better than chance and than the published procedure."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition

from stages.generate_cif.element_balance import balance_elements, elements_of
from stages.generate_cif.splits import make_splitter, split_of
from tests.stages.generate_cif.test_splits import split_all, split_params

SHARES = {"train": 0.68, "val": 0.12, "test": 0.2}
SYMBOLS = ["Li", "O", "Na", "Cl", "Fe", "H", "U", "S", "Mg", "Cs"]

_formulas = st.lists(
    st.lists(st.sampled_from(SYMBOLS), min_size=1, max_size=4, unique=True).map("".join), unique=True, max_size=60
)


def _excess(splits: dict[str, str], element: str) -> dict[str, float]:
    """Return how many formulas with the element each split has beyond its share."""
    having = [split for formula, split in splits.items() if element in elements_of(formula)]
    return {split: having.count(split) - share * len(having) for split, share in SHARES.items()}


@pytest.mark.parametrize("formula", ["NaCl", "Fe3Ni", "H2O", "Na3AlF6", "HfO2", "Li2Ge3(PbO4)2", "U"])
def test_elements_are_those_pymatgen_reads(formula: str) -> None:
    assert elements_of(formula) == {element.symbol for element in Composition(formula).elements}


@given(formulas=_formulas)
@settings(max_examples=100, deadline=None)
def test_the_rarest_element_is_less_than_one_formula_off_its_shares(formulas: list[str]) -> None:
    splits = balance_elements(formulas, SHARES["train"], SHARES["val"])
    assert sorted(splits) == sorted(formulas)
    counts = Counter(element for formula in formulas for element in elements_of(formula))
    if counts:
        rarest = min(counts, key=lambda element: (counts[element], element))
        assert all(abs(excess) < 1 + 1e-9 for excess in _excess(splits, rarest).values())


@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=8))
@settings(max_examples=50, deadline=None)
def test_elements_that_never_meet_are_all_less_than_one_formula_off(sizes: list[int]) -> None:
    formulas = [f"{symbol}{n + 1}" for symbol, size in zip(SYMBOLS, sizes, strict=False) for n in range(size)]
    splits = balance_elements(formulas, SHARES["train"], SHARES["val"])
    for symbol in SYMBOLS[: len(sizes)]:
        assert all(abs(excess) < 1 + 1e-9 for excess in _excess(splits, symbol).values())


@given(formulas=_formulas, random=st.randoms(use_true_random=False), seed=st.integers())
@settings(max_examples=50, deadline=None)
def test_neither_the_order_nor_repetitions_of_the_crystals_matter(formulas: list[str], random: Any, seed: int) -> None:
    params = split_params("element_balanced", seed=seed)
    shuffled = random.sample(formulas + formulas, 2 * len(formulas))
    assert make_splitter(params, shuffled).split_of_formula == make_splitter(params, formulas).split_of_formula


def _by_the_tutorial(formulas: list[str]) -> dict[str, str]:
    """From the rarest element to the commonest, split its formulas at random; the first assignment counts."""
    counts = Counter(element for formula in formulas for element in elements_of(formula))
    splits: dict[str, str] = {}
    for element in sorted(counts, key=lambda symbol: (counts[symbol], symbol)):
        having = [formula for formula in formulas if element in elements_of(formula)]
        order = np.random.RandomState(0).permutation(len(having))
        parts = np.split(order, [round(0.68 * len(having)), round(0.8 * len(having))])
        for split, rows in zip(SHARES, parts, strict=True):
            for formula in np.take(having, rows):
                splits.setdefault(str(formula), split)
    return splits


def test_the_sample_is_balanced_better_than_by_chance_and_by_the_tutorial(sample: Any) -> None:
    crystals, _ = sample
    keys = {name: (row["formula"], row["crystal_system"]) for name, row in crystals.items()}
    formulas = sorted({formula for formula, _ in keys.values()})
    found = split_all(keys, split_params("element_balanced", train=0.68, val=0.12))
    ours = {keys[name][0]: split for name, (_, split) in found.items()}
    candidates = {
        "ours": ours,
        "chance": {formula: split_of(formula, 0, 0.68, 0.12) for formula in formulas},
        "tutorial": _by_the_tutorial(formulas),
    }
    elements = sorted(set().union(*map(elements_of, formulas)))
    off = {
        name: np.mean([sum(map(abs, _excess(splits, element).values())) for element in elements])
        for name, splits in candidates.items()
    }
    assert off["ours"] < 0.5 * off["chance"]
    assert off["ours"] < off["tutorial"]
    common = [element for element in elements if sum(element in elements_of(formula) for formula in formulas) >= 9]
    assert len(common) > 20
    assert all({ours[one] for one in formulas if element in elements_of(one)} == set(SHARES) for element in common)
    sizes = Counter(ours.values())
    assert all(abs(sizes[split] - share * len(formulas)) < 0.05 * len(formulas) for split, share in SHARES.items())
