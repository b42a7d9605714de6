"""The bonds of a crystal, with the neighbours of each site image worked out once."""

from pymatgen.analysis.graphs import ConnectedSite, StructureGraph
from pymatgen.analysis.local_env import CrystalNN
from pymatgen.core import Structure

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
    """

    def get_bonded_structure(self, structure: Structure) -> BondingGraph:  # type: ignore[override]  # no options here
        """Return the sites of the crystal as nodes and their bonds, weighted, as edges."""
        return BondingGraph.from_local_env_strategy(structure, self, weights=True)
