"""Robocrystallographer's text of a crystal: the words the package gives, in a fraction of its time."""

import re
import warnings
from functools import partial
from typing import Any

from pymatgen.core import Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from stages.describe.bonds import BondFinder
from stages.describe.quick_import import without_self_checks

with without_self_checks():
    from robocrys import StructureCondenser, StructureDescriber
    from robocrys.condense.component import get_component_formula, get_structure_inequiv_components
    from robocrys.condense.site import SiteAnalyzer

    from stages.describe.fingerprints import Fingerprints
    from stages.describe.prototypes import PrototypeMatcher

MAX_SITES_OF_A_CHARGE_GUESS = 50  # atoms of the reduced formula; the guess grows exponentially with them

_SHARING = r"(?:corner|edge|face)"
_DIRECTION = r"\((?:[^()]|\([^()]*\))*\)"
_LISTS_WITHOUT_ORDER = [
    (re.compile(rf"{_SHARING}(?:,? (?:and )?{_SHARING})+(?=-sharing)"), re.compile(_SHARING)),
    (
        re.compile(rf"(?<=oriented in the ){_DIRECTION}(?:,? (?:and )?{_DIRECTION})+"),
        re.compile(_DIRECTION),
    ),
]

_EXPECTED_WARNINGS = (
    "No Pauling electronegativity",  # noble gases
    "CrystalNN: cannot locate an appropriate radius",  # falls back to the atomic radius, as for the Materials Project
    "No oxidation states specified on sites",  # none could be guessed
    "gcd is deprecated",  # of monty, which robocrys calls
)

_FAILURES = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What robocrys, matminer and pymatgen raise on odd crystals: ValueError and RuntimeError from Voronoi cells and from
spglib, AttributeError and TypeError for elements without data, IndexError and KeyError where no neighbour is left to
talk about, ZeroDivisionError for flat cells. None of them has a class of its own that could be caught instead."""


class DescriptionError(Exception):
    """A crystal cannot be described; the message says why and what to do."""


class Robocrystallographer:
    """Describe crystals as the Materials Project does: guessed oxidation states, no numbers of inequivalent sites.

    Ganose and Jain, *Robocrystallographer: automated crystal structure text descriptions and analysis*, MRS Commun. 9,
    874-881 (2019), doi:10.1557/mrc.2019.94.

    Whatever does not depend on the crystal is prepared once, so keep one object for many crystals. A text depends on
    its crystal alone, neither on the crystals before it nor on Python's hash seed.
    """

    def __init__(self) -> None:
        bonds = BondFinder()
        self._fingerprints = Fingerprints(bonds)
        self._condenser = Condenser(near_neighbors=bonds, mineral_matcher=PrototypeMatcher())
        self._describer = StructureDescriber(describe_symmetry_labels=False)

    def describe(self, structure: Structure) -> str:
        """Return the text of a crystal; the structure is left as it was.

        Args:
            structure: an ordered crystal, any number of sites.

        Raises:
            DescriptionError: robocrystallographer does not describe disordered crystals, or fails on this one.
        """
        if not structure.is_ordered:
            raise DescriptionError(
                "robocrystallographer describes ordered crystals only, and here atoms share a site or a site is partly "
                "empty; replace the record by an ordered approximant, or deliver a description with it"
            )
        with warnings.catch_warnings():
            for message in _EXPECTED_WARNINGS:
                warnings.filterwarnings("ignore", message=message)
            try:
                with self._fingerprints.in_use():
                    condensed = self._condenser.condense_structure(with_oxidation_states(structure))
                text = self._describer.describe(condensed)
            except _FAILURES as error:
                first_line = str(error).partition("\n")[0]
                raise DescriptionError(
                    f"robocrystallographer fails on this crystal ({type(error).__name__}: {first_line}); look for "
                    "overlapping atoms, an unphysical cell or superheavy elements, or deliver a description with it"
                ) from error
        return in_fixed_order(str(text))


class Condenser(StructureCondenser):
    """`StructureCondenser` that leaves molecules without a trivial name, by which the text gives their formula.

    Names need Open Babel and, for most molecules, a question to PubChem over the network. The pipeline has neither, and
    a text must not depend on them; the package would all the same read its file of names anew for each crystal.
    """

    def _condense_components(
        self,
        components: list[dict[str, Any]],
        spacegroup_analyzer: SpacegroupAnalyzer,
        site_analyzer: SiteAnalyzer,
    ) -> tuple[dict[int, dict[str, Any]], list[int]]:
        """Return a summary of each distinct bonded component, and which of them make up the crystal."""
        distinct = get_structure_inequiv_components(components)
        summaries = {
            number: {
                "formula": get_component_formula(component),
                "dimensionality": component["dimensionality"],
                "orientation": component["orientation"],
                "molecule_name": None,
                "sites": site_analyzer.get_inequivalent_site_indices(component["site_ids"]),
            }
            for number, component in enumerate(distinct)
        }
        makeup = [number for number, one in enumerate(distinct) for _ in range(one["count"])]
        return summaries, makeup


def with_oxidation_states(structure: Structure) -> Structure:
    """Return a copy with pymatgen's most probable charge-balanced oxidation states, zero where none balance.

    As in the Materials Project, a reduced formula of more than `MAX_SITES_OF_A_CHARGE_GUESS` atoms, for which the
    search would take very long, gets no oxidation states at all.
    """
    decorated = structure.copy()
    try:
        decorated.add_oxidation_state_by_guess(max_sites=-MAX_SITES_OF_A_CHARGE_GUESS)
    except ValueError:
        return structure.copy()
    return decorated


def in_fixed_order(text: str) -> str:
    """Put the lists that robocrystallographer writes in the order of a Python set of words into alphabetical order.

    These are the kinds of sharing ("a mixture of corner and edge-sharing ...") and the directions of layers and chains.
    Their order in the package differs from one run of Python to the next.
    """
    for listing, item in _LISTS_WITHOUT_ORDER:
        text = listing.sub(partial(_sorted_list, item=item), text)
    return text


def _sorted_list(listing: re.Match[str], item: re.Pattern[str]) -> str:
    """Sort the items of "b, c, and a", leaving what stands between them in place."""
    ordered = iter(sorted(item.findall(listing.group())))
    return item.sub(lambda _: next(ordered), listing.group())
