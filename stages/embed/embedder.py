"""What every source of embeddings has in common."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from stages.shared.structures import structure_from_cif

if TYPE_CHECKING:
    from ase import Atoms


class NoEmbedding(Exception):
    """A crystal that gets no embedding; the message is the reason, for a person to act on."""


@dataclass(frozen=True)
class CrystalEntry:
    """What this stage needs of a row of the table of crystals."""

    material_id: str
    cif: str


class Embedder(Protocol):
    """A source of embeddings."""

    def embed(self, crystal: CrystalEntry) -> NDArray[np.float32]:
        """Return the embedding of one crystal, (embedding_dim,).

        Raises:
            NoEmbedding: there is none for this crystal.
        """


class StructureEmbedder(ABC):
    """A pretrained model, asked for one crystal at a time.

    Alone in its batch, a crystal has the same embedding to the byte whatever else is in the table. On the sample that
    costs CHGNet 8 ms per crystal on one core, where batches of 64 take 5 ms.
    """

    def embed(self, crystal: CrystalEntry) -> NDArray[np.float32]:
        """Return the embedding of one crystal, (embedding_dim,).

        Raises:
            NoEmbedding: the crystal cannot be read, is disordered, or makes the model fail.
        """
        try:
            structure = structure_from_cif(crystal.cif)
        except ValueError as error:
            raise NoEmbedding(f"the CIF cannot be read: {error}") from None
        if not structure.is_ordered:
            raise NoEmbedding("some of its sites are mixed or partly vacant, and the model knows ordered crystals only")
        heaviest = max(site.specie.Z for site in structure)
        if heaviest > self.max_atomic_number:
            raise NoEmbedding(f"the model knows atomic numbers up to {self.max_atomic_number}, not {heaviest}")
        try:
            return self.embed_structure(structure)
        except (AssertionError, IndexError, RuntimeError, ValueError) as error:  # what such models raise
            reason = " ".join(str(error).split()) or type(error).__name__
            raise NoEmbedding(f"the model fails: {reason}") from None

    @property
    @abstractmethod
    def max_atomic_number(self) -> int:
        """The heaviest element the model knows."""

    @abstractmethod
    def embed_structure(self, structure: Structure) -> NDArray[np.float32]:
        """Return the mean of the model's atom features over the atoms of an ordered crystal, (embedding_dim,)."""


def ase_atoms(structure: Structure) -> "Atoms":
    """Return an ordered crystal as ASE knows it: elements, positions and cell, deuterium as hydrogen."""
    from ase import Atoms

    return Atoms(
        numbers=[site.specie.Z for site in structure],
        scaled_positions=structure.frac_coords,
        cell=structure.lattice.matrix,
        pbc=True,
    )


def prepare_device() -> str:
    """Return where a model computes, `cuda` or `cpu`; the processor computes the same bytes every time.

    Models of others need not have deterministic algorithms for a GPU.

    Raises:
        StageError: an `XTALK_` variable is not what it should be.
    """
    from stages.shared.runtime import choose_device, use_reproducible_kernels  # torch: 2 s to import

    device = choose_device()
    if device == "cpu":
        use_reproducible_kernels()
    return device
