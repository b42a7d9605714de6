"""What every scheme promises: whole groups, fractions, and crystals that stay where they are."""

from collections import defaultdict
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition, Structure

from models.crystal_systems import CRYSTAL_SYSTEMS
from stages.generate_cif.splits import SplitKey, make_splitter, split_of
from stages.shared.params import CrystalSystem, GenerateCifParams, SplitParams

GROUPS = [f"X{number}" for number in range(20_000)]
COMPUTED = ["formula", "random", "crystal_system", "species_count", "element_balanced"]

_formulas = st.lists(st.sampled_from(["Li", "O", "Na", "Cl", "Fe", "H", "U"]), min_size=1, max_size=4, unique=True).map(
    lambda symbols: Composition(dict.fromkeys(symbols, 1)).reduced_formula
)
_crystals = st.dictionaries(
    st.integers(0, 10_000).map("mp-{}".format), st.tuples(_formulas, st.sampled_from(CRYSTAL_SYSTEMS)), max_size=30
)


def split_params(scheme: str = "formula", **changes: Any) -> SplitParams:
    values: dict[str, Any] = {
        "scheme": scheme,
        "seed": 0,
        "train": 0.6,
        "val": 0.2,
        "test_crystal_systems": ["monoclinic", "triclinic"],
        "seen_species_counts": [2, 3],
        "directory": "",
        "target_set": "jarvis__megnet",
    }
    return SplitParams.model_validate(values | changes)


def split_all(crystals: dict[str, tuple[str, str]], params: SplitParams) -> dict[str, tuple[str, str | None]]:
    """Return group and split by id."""
    splitter = make_splitter(params, (formula for formula, _ in crystals.values()))
    return {name: splitter.assign(SplitKey(name, *facts)) for name, facts in crystals.items()}


def _splits(groups: list[str], seed: int = 0, train: float = 0.7, val: float = 0.1) -> list[str]:
    return [split_of(group, seed, train, val) for group in groups]


def test_the_fractions_hold_within_four_standard_deviations() -> None:
    splits = _splits(GROUPS)
    for split, fraction in (("train", 0.7), ("val", 0.1), ("test", 0.2)):
        deviation = np.sqrt(len(GROUPS) * fraction * (1 - fraction))
        assert abs(splits.count(split) - fraction * len(GROUPS)) < 4 * deviation


def test_a_larger_training_fraction_only_moves_groups_towards_train() -> None:
    for smaller, larger in zip(_splits(GROUPS), _splits(GROUPS, train=0.8), strict=True):
        assert smaller == larger or (smaller, larger) in {("val", "train"), ("test", "train"), ("test", "val")}


def test_another_seed_gives_an_independent_split() -> None:
    both = np.mean(np.array(_splits(GROUPS)) == np.array(_splits(GROUPS, seed=1)))
    chance = 0.7**2 + 0.1**2 + 0.2**2
    assert abs(both - chance) < 4 * np.sqrt(chance * (1 - chance) / len(GROUPS))


def test_a_split_of_everything_to_train_leaves_nothing_else() -> None:
    assert set(_splits(GROUPS[:100], train=1.0, val=0.0)) == {"train"}


@pytest.mark.parametrize("scheme", [scheme for scheme in COMPUTED if scheme != "element_balanced"])
@settings(max_examples=40, deadline=None)
@given(crystals=_crystals, others=_crystals, seed=st.integers())
def test_adding_crystals_never_moves_another_one(
    scheme: str, crystals: dict[str, tuple[str, str]], others: dict[str, tuple[str, str]], seed: int
) -> None:
    params = split_params(scheme, seed=seed)
    before, after = split_all(crystals, params), split_all(others | crystals, params)
    assert {name: after[name] for name in crystals} == before


@pytest.mark.parametrize("scheme", COMPUTED)
@settings(max_examples=40, deadline=None)
@given(crystals=_crystals, seed=st.integers(), val=st.sampled_from([0.0, 0.1, 0.3]))
def test_no_group_crosses_a_split_and_none_is_left_out(
    scheme: str, crystals: dict[str, tuple[str, str]], seed: int, val: float
) -> None:
    splits_of_group = defaultdict(set)
    for group, split in split_all(crystals, split_params(scheme, seed=seed, val=val)).values():
        splits_of_group[group].add(split)
    assert all(len(splits) == 1 for splits in splits_of_group.values())
    assert set().union(*splits_of_group.values()) <= ({"train", "val", "test"} if val else {"train", "test"})


@pytest.mark.parametrize("scheme", ["formula", "species_count", "element_balanced"])
@settings(max_examples=40, deadline=None)
@given(crystals=_crystals)
def test_a_composition_lies_in_one_split(scheme: str, crystals: dict[str, tuple[str, str]]) -> None:
    splits_of_formula = defaultdict(set)
    for name, (_, split) in split_all(crystals, split_params(scheme)).items():
        splits_of_formula[crystals[name][0]].add(split)
    assert all(len(splits) == 1 for splits in splits_of_formula.values())


@settings(max_examples=40, deadline=None)
@given(crystals=_crystals)
def test_the_held_out_crystal_systems_are_the_test_split_and_nothing_else_is(
    crystals: dict[str, tuple[str, str]],
) -> None:
    for name, (_, split) in split_all(crystals, split_params("crystal_system")).items():
        assert (split == "test") == (crystals[name][1] in ("monoclinic", "triclinic"))


@settings(max_examples=40, deadline=None)
@given(crystals=_crystals)
def test_unseen_numbers_of_elements_are_the_test_split_and_nothing_else_is(
    crystals: dict[str, tuple[str, str]],
) -> None:
    for name, (_, split) in split_all(crystals, split_params("species_count")).items():
        assert (split == "test") == (len(Composition(crystals[name][0]).elements) not in (2, 3))


@pytest.mark.parametrize(("scheme", "facts"), [("crystal_system", ("{}", "cubic")), ("species_count", ("{}Na", ""))])
def test_what_is_not_held_out_is_split_between_train_and_val_in_their_ratio(
    scheme: str, facts: tuple[str, str]
) -> None:
    elements = [f"{a}{b}" for a in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" for b in "bcdefghij"]
    crystals = {f"{first}-{n}": (facts[0].format(f"{first}{n}"), facts[1]) for first in elements for n in range(1, 11)}
    splits = [split for _, split in split_all(crystals, split_params(scheme)).values()]
    deviation = np.sqrt(len(splits) * 0.75 * 0.25)
    assert abs(splits.count("train") - 0.75 * len(splits)) < 4 * deviation
    assert splits.count("train") + splits.count("val") == len(splits)


def test_random_splits_polymorphs_apart() -> None:
    polymorphs = {f"mp-{number}": ("SiO2", "trigonal") for number in range(30)}
    assert {split for _, split in split_all(polymorphs, split_params("random")).values()} == {"train", "val", "test"}
    assert len({split for _, split in split_all(polymorphs, split_params("formula")).values()}) == 1


def test_index_files_decide_by_id_and_leave_out_what_they_do_not_list(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("mp-1\nmp-2\n")
    (tmp_path / "test.json").write_text('["mp-3", "mp-9"]')
    crystals = {f"mp-{number}": ("NaCl", "cubic") for number in range(1, 5)}
    found = split_all(crystals, split_params("file", directory=str(tmp_path)))
    assert {name: split for name, (_, split) in found.items()} == {
        "mp-1": "train",
        "mp-2": "train",
        "mp-3": "test",
        "mp-4": None,
    }


def test_the_crystal_systems_of_params_are_those_of_the_models() -> None:
    assert get_args(CrystalSystem) == CRYSTAL_SYSTEMS


def test_polymorphs_and_records_of_several_sources_lie_in_one_split_of_the_whole_sample(
    sample: Any, params: GenerateCifParams
) -> None:
    crystals, _ = sample
    assert params.split.scheme == "formula"
    splitter = make_splitter(params.split, ())
    splits, sources, space_groups = (defaultdict(set) for _ in range(3))
    for name, row in crystals.items():
        formula = Structure.from_str(row["cif"], "cif").composition.reduced_formula
        split = splitter.assign(SplitKey(name, row["formula"], row["crystal_system"])).split
        splits[formula].add(split)
        sources[formula].add(row["source"])
        space_groups[formula].add(row["space_group_number"])
    assert all(len(found) == 1 for found in splits.values())
    assert {split for found in splits.values() for split in found} == {"train", "val", "test"}
    assert sum(len(found) > 1 for found in sources.values()) > 20
    assert sum(len(found) > 1 for found in space_groups.values()) > 20
