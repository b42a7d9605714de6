"""Train, val and test: which crystals belong together, and to which split each group goes.

A crystal's split depends on itself and the parameters alone, so that adding or removing crystals never moves another
one. The one exception is `element_balanced`, which weighs all crystals against each other.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from stages.generate_cif.element_balance import balance_elements, elements_of
from stages.generate_cif.index_files import read_index_files, read_tutorial_split
from stages.generate_cif.target_sets import published_split
from stages.shared.params import SplitParams
from stages.shared.sources import jarvis, phonon_tutorial


class SplitKey(NamedTuple):
    """What a split may depend on: columns of `CRYSTALS_SCHEMA`."""

    material_id: str
    formula: str
    crystal_system: str


class Assignment(NamedTuple):
    """The group a crystal stays with, and the split the whole group is in; None where index files do not list it."""

    group: str
    split: str | None


@dataclass(frozen=True)
class Splitter:
    """One of the schemes, ready to be asked for crystals.

    Args:
        params: the scheme and its numbers.
        split_of_formula: of `element_balanced`, every formula of the corpus; else empty.
        split_of_id: of `file`, `phonon_tutorial` and `target_set`, every listed material_id; else empty.
    """

    params: SplitParams
    split_of_formula: Mapping[str, str]
    split_of_id: Mapping[str, str]

    def assign(self, crystal: SplitKey) -> Assignment:
        """Return the group and the split of a crystal.

        `formula` keeps a composition together, polymorphs and records of several sources; `random` splits row by row as
        much published work does, which puts compositions into several splits. Two schemes test out of distribution, as
        Lee et al., *Density of States Prediction of Crystalline Materials via Prompt-guided Multi-Modal Transformer*,
        NeurIPS 2023, arXiv:2311.12856, do: `crystal_system` tests on whole crystal systems, though a composition may
        have a polymorph in another one, and `species_count` on compositions of fewer or more elements than were seen.
        """
        params, formula = self.params, crystal.formula
        match params.scheme:
            case "formula":
                return Assignment(formula, split_of(formula, params.seed, params.train, params.val))
            case "random":
                group = crystal.material_id
                return Assignment(group, split_of(group, params.seed, params.train, params.val))
            case "crystal_system":
                held_out = crystal.crystal_system in params.test_crystal_systems
                return Assignment(crystal.crystal_system, "test") if held_out else self._seen(formula)
            case "species_count":
                held_out = len(elements_of(formula)) not in params.seen_species_counts
                return Assignment(formula, "test") if held_out else self._seen(formula)
            case "element_balanced":
                return Assignment(formula, self.split_of_formula[formula])
            case "file" | "phonon_tutorial" | "target_set":
                return Assignment(crystal.material_id, self.split_of_id.get(crystal.material_id))

    def _seen(self, formula: str) -> Assignment:
        """Put a formula that is not held out into train or val, in the ratio of their fractions."""
        train = self.params.train / (self.params.train + self.params.val)
        return Assignment(formula, "train" if position_of(formula, self.params.seed) < train else "val")


def make_splitter(params: SplitParams, formulas: Iterable[str], raw: Path = Path("data/raw")) -> Splitter:
    """Prepare a scheme.

    Args:
        params: the scheme and its numbers.
        formulas: of all crystals, with or without repetitions; only `element_balanced` reads them.
        raw: folder with the raw files of each source; only `phonon_tutorial` and `target_set` read them.

    Raises:
        StageError: index files or published data are wanted, but missing, broken off or contradictory.
    """
    split_of_formula, split_of_id = {}, {}
    if params.scheme == "element_balanced":
        by_position = sorted(set(formulas), key=lambda formula: (position_of(formula, params.seed), formula))
        split_of_formula = balance_elements(by_position, params.train, params.val)
    if params.scheme == "file":
        split_of_id = read_index_files(Path(params.directory))
    if params.scheme == "phonon_tutorial":
        split_of_id = read_tutorial_split(raw / phonon_tutorial.SOURCE)
    if params.scheme == "target_set":
        split_of_id = published_split(params.target_set, raw / jarvis.SOURCE)
    return Splitter(params, split_of_formula, split_of_id)


def split_of(group: str, seed: int, train: float, val: float) -> str:
    """Return 'train', 'val' or 'test' for a group of crystals that must stay together.

    A group whose position is below `train` trains, in the next `val` it validates, the rest tests. The fractions hold
    on average over groups.

    Args:
        group: what the crystals have in common, for example their reduced formula.
        seed: another seed gives another, equally good split.
        train: fraction of groups for training.
        val: fraction of groups for validation.
    """
    position = position_of(group, seed)
    if position < train:
        return "train"
    return "val" if position < train + val else "test"


def position_of(group: str, seed: int) -> float:
    """Return a number between 0 and 1, evenly spread over groups: the SHA-256 digest of seed and group."""
    digest = hashlib.sha256(f"{seed}:{group}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
