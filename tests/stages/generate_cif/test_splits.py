import numpy as np

from stages.generate_cif.splits import split_group, split_of

GROUPS = [f"X{number}" for number in range(20_000)]


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


def test_the_formula_scheme_groups_by_composition_and_the_random_one_by_material() -> None:
    assert split_group("formula", "mp-1", "NaCl") == split_group("formula", "mp-2", "NaCl")
    assert split_group("random", "mp-1", "NaCl") != split_group("random", "mp-2", "NaCl")


def test_a_split_of_everything_to_train_leaves_nothing_else() -> None:
    assert set(_splits(GROUPS[:100], train=1.0, val=0.0)) == {"train"}
