"""The manifest of a split: how much is where, and a digest of each part, so that a review sees a crystal move."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from stages.generate_cif.splits import SplitKey, Splitter
from stages.shared.errors import StageError
from stages.shared.schemas import SPLITS


class SplitManifest:
    """Splits the crystals as they pass by in the order of their ids, and counts what goes where.

    Args:
        splitter: the scheme.
    """

    def __init__(self, splitter: Splitter) -> None:
        self._splitter = splitter
        self._crystals = dict.fromkeys((*SPLITS, None), 0)
        self._groups: dict[str, set[str]] = {split: set() for split in SPLITS}
        self._splits_of_formula: dict[str, int] = defaultdict(int)  # a bit for each split: a set takes 200 bytes
        self._digests = {split: hashlib.sha256() for split in SPLITS}
        self._last_id = ""

    def add(self, columns: Mapping[str, Any]) -> str | None:
        """Return the split of a crystal, given its other columns of `CRYSTALS_SCHEMA`, and book it.

        Raises:
            ValueError: the ids do not increase; in another order they would give another digest.
        """
        crystal = SplitKey(columns["material_id"], columns["formula"], columns["crystal_system"])
        if crystal.material_id <= self._last_id:
            raise ValueError(f"{crystal.material_id} comes after {self._last_id}")
        self._last_id = crystal.material_id
        group, split = self._splitter.assign(crystal)
        self._crystals[split] += 1
        if split is not None:
            self._groups[split].add(group)
            self._splits_of_formula[crystal.formula] |= 1 << SPLITS.index(split)
            self._digests[split].update(f"{crystal.material_id}\n".encode())
        return split

    def check(self) -> None:
        """Refuse index files that name none of the crystals.

        Raises:
            StageError: they do, and there are crystals.
        """
        if self._splitter.split_of_id and self._crystals[None] and not self._n_split:
            example = next(iter(self._splitter.split_of_id))
            raise StageError(
                f"no crystal is in the index files of {self._index_files}: "
                f"'{example}' there should be a material_id such as '{self._last_id}'"
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the manifest for a JSON file.

        For each split: the number of crystals and groups, and the SHA-256 of its material_ids, sorted, each with a line
        break, as `sort | sha256sum` computes it. `without_split` crystals are listed in no index file, `ids_not_found`
        are ids there that no crystal has; `formulas_in_several_splits` are compositions that are seen in training and
        tested too, or the like. The seed is null where it decides nothing.
        """
        params = self._splitter.params
        parts = {
            split: {
                "crystals": self._crystals[split],
                "groups": len(self._groups[split]),
                "material_ids_sha256": self._digests[split].hexdigest(),
            }
            for split in SPLITS
        }
        return {
            "scheme": params.scheme,
            "seed": None if params.scheme in ("file", "phonon_tutorial", "target_set") else params.seed,
            **parts,
            "without_split": self._crystals[None],
            "ids_not_found": self._ids_not_found,
            "formulas_in_several_splits": sum(splits.bit_count() > 1 for splits in self._splits_of_formula.values()),
        }

    def summary(self) -> Iterator[str]:
        """Yield plain sentences: the sizes, and what a reader of the results must know."""
        scheme = self._splitter.params.scheme
        sizes = ", ".join(f"{split} {self._crystals[split]} ({len(self._groups[split])} groups)" for split in SPLITS)
        yield f"split by {scheme}: {sizes}"
        for split in SPLITS:
            if self._n_split and not self._crystals[split]:
                yield f"the {split} split is empty with generate_cif.split.scheme {scheme}"
        if self._crystals[None]:
            yield f"{self._crystals[None]} crystals are in no index file, and in no split"
        if self._ids_not_found:
            yield f"{self._ids_not_found} ids of the index files belong to no crystal"

    @property
    def _index_files(self) -> str:
        params = self._splitter.params
        lists = {"phonon_tutorial": "the phonon tutorial", "target_set": params.target_set}
        return lists.get(params.scheme, params.directory)

    @property
    def _n_split(self) -> int:
        return sum(self._crystals[split] for split in SPLITS)

    @property
    def _ids_not_found(self) -> int:
        return max(0, len(self._splitter.split_of_id) - self._n_split)
