"""Naming the structure prototype of a crystal, with the library of prototypes reduced once.

Robocrystallographer compares each crystal with some 180 named AFLOW prototypes and reduces each of them again for every
crystal. Here they are reduced when the matcher is made, and only those are compared that can match at all.
"""

from collections import defaultdict
from typing import Any, cast

import pandas as pd
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure
from robocrys.condense.mineral import MineralMatcher

_TIGHTENING = 0.8  # what pymatgen multiplies the tolerances by while more than one prototype matches
_SMALLEST_LENGTH_TOLERANCE = 0.01

Signature = tuple[float, ...]


def anonymous_signature(structure: Structure) -> Signature:
    """Return the numbers of sites of each species in ascending order, whatever the species are.

    Two cells that pymatgen matches anonymously, without supercells, always share it: the matcher maps species onto
    species and site onto site.
    """
    return tuple(sorted(structure.composition.values()))


def reduced_cell(structure: Structure) -> Structure:
    """Return the primitive cell of the Niggli cell, the form in which `StructureMatcher` compares crystals."""
    return structure.get_reduced_structure(reduction_algo="niggli").get_primitive_structure()


class PrototypeMatcher(MineralMatcher):
    """Robocrystallographer's `MineralMatcher` with the same answers in a hundredth of the time.

    Mehl et al., *The AFLOW Library of Crystallographic Prototypes: Part 1*, Comput. Mater. Sci. 136, S1-S828 (2017),
    doi:10.1016/j.commatsci.2017.01.017.
    """

    def __init__(self) -> None:
        super().__init__()
        # the library labels its rows with AFLOW names, several of which stand for more than one mineral
        self.mineral_db = self.mineral_db.reset_index(drop=True)
        self._reduced: dict[Signature, dict[int, Structure]] = defaultdict(dict)
        for row, prototype in enumerate(self.mineral_db["structure"]):
            reduced = reduced_cell(prototype)
            self._reduced[anonymous_signature(reduced)][row] = reduced

    def get_best_mineral_name(self, structure: Structure) -> dict[str, Any]:
        """Return the name of the prototype and how it was found, as `MineralMatcher` does.

        The parent keeps the fingerprint distances of its last crystal for any that equals it within a tolerance. They
        are dropped first, so that the answer does not depend on which crystal came before.
        """
        self._structure = None
        return super().get_best_mineral_name(structure)

    def get_aflow_matches(self, structure: Structure) -> list[dict[str, Any]] | None:
        """Return the matching prototypes, the nearest fingerprint first, or `None` without a match.

        Args:
            structure: the crystal, one species on each site.

        Returns:
            dictionaries with the `type` (name), `distance` (of the fingerprints) and `structure` of a prototype.

        Raises:
            ValueError: the cell cannot be reduced.
        """
        self._set_distance_matrix(structure)
        library = cast("pd.DataFrame", self._mineral_db)  # the nearest first
        # `MineralMatcher` reduces the crystal, and the matcher it calls does so once more
        rows = self._matching_rows(reduced_cell(reduced_cell(structure)))
        matches = [
            {"type": prototype.mineral, "distance": prototype.distance, "structure": prototype.structure}
            for prototype in library[library.index.isin(rows)].itertuples()
        ]
        return matches or None

    def _matching_rows(self, crystal: Structure) -> set[int]:
        """Return the rows of the library that match a reduced crystal.

        The tolerances shrink while several prototypes match, until one or none is left or the length tolerance is below
        1 %.
        """
        candidates = self._reduced.get(anonymous_signature(crystal), {})
        matcher = StructureMatcher(ltol=self.initial_ltol, stol=self.initial_stol, angle_tol=self.initial_angle_tol)
        while True:
            rows = {
                row
                for row, prototype in candidates.items()
                if matcher.fit_anonymous(prototype, crystal, skip_structure_reduction=True)
            }
            if len(rows) <= 1 or matcher.ltol < _SMALLEST_LENGTH_TOLERANCE:
                return rows
            matcher.ltol *= _TIGHTENING
            matcher.stol *= _TIGHTENING
            matcher.angle_tol *= _TIGHTENING
