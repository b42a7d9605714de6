"""What has been worked out for the sites of a crystal."""

from collections.abc import Callable
from typing import Generic, TypeVar

from pymatgen.core import Structure

Result = TypeVar("Result")


class SiteMemory(Generic[Result]):
    """A result for each site that has been asked for; structures are told apart by identity, so none may change."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Structure, dict[int, Result]]] = {}

    def recall(self, structure: Structure, site: int, compute: Callable[[Structure, int], Result]) -> Result:
        """Return `compute(structure, site)`, from memory where it has been asked for before."""
        # the structure is kept as well, so that no other can have its id
        _, sites = self._known.setdefault(id(structure), (structure, {}))
        if site not in sites:
            sites[site] = compute(structure, site)
        return sites[site]

    def forget(self) -> None:
        """Drop everything."""
        self._known.clear()
