"""Find the known crystal a narrative tells of."""

from collections.abc import Sequence
from dataclasses import dataclass

from pymatgen.analysis.structure_matcher import StructureMatcher

from stages.shared.structures import structure_from_cif


@dataclass(frozen=True)
class MatchTask:
    """CIF texts of narratives and of known crystals with the same reduced formula and space group."""

    narratives: Sequence[str]
    known: Sequence[str]


def matching_crystals(task: MatchTask) -> list[list[int]]:
    """Return, for each narrative, the places in `task.known` of the crystals with the same structure.

    Two structures are the same where pymatgen's `StructureMatcher` with its default tolerances (0.2 of a length, 0.3
    of the cube root of the volume per atom, 5 degrees, volumes scaled) maps one onto the other.
    """
    matcher = StructureMatcher()
    known = [structure_from_cif(cif) for cif in task.known]
    narratives = [structure_from_cif(cif) for cif in task.narratives]
    return [
        [place for place, candidate in enumerate(known) if matcher.fit(structure, candidate)]
        for structure in narratives
    ]
