"""The fingerprints of sites, which robocrystallographer asks for several times, worked out once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import robocrys.condense.mineral
import robocrys.condense.site
from matminer.featurizers.site import CrystalNNFingerprint
from matminer.featurizers.structure import SiteStatsFingerprint
from numpy.typing import NDArray
from pymatgen.core import Structure

from stages.describe.bonds import BondFinder
from stages.describe.replacement import replaced
from stages.describe.site_memory import SiteMemory


class Fingerprints:
    """The numbers by which robocrystallographer tells kinds of sites and prototypes, from bonds that are known already.

    Order parameters of the sites: Zimmermann and Jain, *Local structure order parameters and site fingerprints for
    quantification of coordination environment and crystal structure similarity*, RSC Adv. 10, 6063-6081 (2020),
    doi:10.1039/C9RA07755C.

    Args:
        bonds: finds the neighbours, and remembers them until its next crystal.
    """

    def __init__(self, bonds: BondFinder) -> None:
        featurizer = CrystalNNFingerprint.from_preset("ops", cation_anion=False)
        featurizer.cnn = bonds
        self._sites = _RememberedSites(featurizer)
        self._of_sites = SiteStatsFingerprint(self._sites, stats=None)
        self._of_structure = SiteStatsFingerprint(self._sites, stats=("mean", "std_dev"))

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Within `with`, robocrystallographer asks here; what is known of earlier crystals is forgotten."""
        self._sites.memory.forget()
        with (
            replaced(robocrys.condense.site, "get_site_fingerprints", self.of_sites),
            replaced(robocrys.condense.mineral, "get_structure_fingerprint", self.of_structure),
        ):
            yield

    def of_sites(self, structure: Structure) -> list[dict[str, float]]:
        """Return what robocrystallographer's `get_site_fingerprints` does: each site's numbers by name."""
        labels = self._of_sites.feature_labels()
        numbers = np.array(self._of_sites.featurize(structure)).T  # (n_sites, n_numbers)
        return [dict(zip(labels, site, strict=True)) for site in numbers]

    def of_structure(self, structure: Structure, prototype_match: bool = False) -> NDArray[np.float64]:
        """Return what robocrystallographer's `get_structure_fingerprint` does: mean and deviation over the sites.

        Raises:
            ValueError: `prototype_match`, which asks for other neighbours and which nothing here asks for.
        """
        if prototype_match:
            raise ValueError("fingerprints by distance alone are not kept here")
        return np.array(self._of_structure.featurize(structure))


class _RememberedSites:
    """A site featurizer of matminer that is asked only once for a site."""

    def __init__(self, featurizer: CrystalNNFingerprint) -> None:
        self.memory: SiteMemory[list[float]] = SiteMemory()
        self._featurizer = featurizer

    def featurize(self, structure: Structure, site: int) -> list[float]:
        return self.memory.recall(structure, site, self._featurizer.featurize)

    def feature_labels(self) -> list[Any]:
        return list(self._featurizer.feature_labels())
