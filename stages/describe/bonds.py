"""The bonds of a crystal, with the neighbours of each site and each site image worked out once."""

from pymatgen.analysis.graphs import ConnectedSite, StructureGraph
from pymatgen.analysis.local_env import CrystalNN
from pymatgen.core import Structure

from stages.describe.site_memory import SiteMemory

Image = tuple[int, int, int]


class BondingGraph(StructureGraph):
    """`StructureGraph` that remembers the neighbours it has been asked for; ask once all bonds are in.

    Robocrystallographer asks for the neighbours of the same site image some ten times, to find the sites that share
    corners, edges and faces.
    """

    def __init__(self, structure: Structure, graph_data: dict[str, object] | None = None) -> None:
        super().__init__(structure, graph_data)
        self._connected_sites: dict[tuple[int, Image], list[ConnectedSite]] = {}

    def get_connected_sites(self, n: int, jimage: Image = (0, 0, 0)) -> list[ConnectedSite]:
        """Return the sites bonded to site `n` in the cell `jimage` (in lattice vectors), the nearest first."""
        key = (n, jimage)
        if key not in self._connected_sites:
            self._connected_sites[key] = super().get_connected_sites(n, jimage)
        return self._connected_sites[key]


class BondFinder(CrystalNN):
    """CrystalNN with its default settings, giving a `BondingGraph` of an ordered crystal.

    Pan et al., *Benchmarking Coordination Number Prediction Algorithms on Inorganic Crystal Structures*, Inorg. Chem.
    60, 1590-1603 (2021), doi:10.1021/acs.inorgchem.0c02996.

    The neighbours of a crystal's sites stay in memory until the bonds of the next are asked for: the tessellation they
    come from takes most of the time, and the fingerprints of the sites rest on the same neighbours.
    """

    def __init__(self) -> None:
        super().__init__()
        self._memory: SiteMemory[CrystalNN.NNData] = SiteMemory()

    def get_bonded_structure(self, structure: Structure) -> BondingGraph:  # type: ignore[override]  # no options here
        """Return the sites of the crystal as nodes and their bonds, weighted, as edges."""
        self._memory.forget()
        return BondingGraph.from_local_env_strategy(structure, self, weights=True)

    def get_nn_data(self, structure: Structure, n: int, length: int | None = None) -> CrystalNN.NNData:
        """Return the neighbours of site `n` for each coordination number, as `CrystalNN` does.

        Args:
            structure: ordered.
            n: site.
            length: largest coordination number, always that of CrystalNN's fingerprint.

        Raises:
            ValueError: a length is given.
        """
        if length is not None:
            raise ValueError("neighbours are kept for the default length only")
        return self._memory.recall(structure, n, super().get_nn_data)
