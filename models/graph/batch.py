"""What goes into a graph encoder and what comes out of it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor, nn

from models.graph.elements import N_ELEMENTS


@dataclass
class CrystalBatch:
    r"""Several periodic crystals as one disconnected graph.

    Edge $e$ joins the centre atom $i$ = `edge_source` to the image $\mathbf n$ = `edge_image` of its neighbour
    $j$ = `edge_target`; messages flow from $j$ to $i$.

    Attributes:
        atomic_numbers: (n_atoms,) int64, 1 to 118.
        frac_coords: (n_atoms, 3) fractional coordinates, not necessarily in [0, 1).
        lattice: (n_crystals, 3, 3) Å, rows are the lattice vectors.
        batch: (n_atoms,) int64 crystal of each atom, sorted.
        edge_source: (n_edges,) int64 centre atom.
        edge_target: (n_edges,) int64 neighbour atom.
        edge_image: (n_edges, 3) lattice translation of the neighbour, in lattice vectors.
        occupancy: (n_atoms, 119) share of each element (column Z) on each site, for batches with disordered crystals;
            a vacancy is what the row lacks to 1. None: every site is wholly of its `atomic_numbers`.
        embedding: (n_crystals, d_e) features of each crystal from another model; None where there are none.

    Raises:
        ValueError: the shapes do not fit together.
    """

    atomic_numbers: Tensor
    frac_coords: Tensor
    lattice: Tensor
    batch: Tensor
    edge_source: Tensor
    edge_target: Tensor
    edge_image: Tensor
    occupancy: Tensor | None = None
    embedding: Tensor | None = None

    def __post_init__(self) -> None:
        """Check the shapes; the values are not looked at, which would stall an accelerator."""
        n_atoms, n_edges = len(self.atomic_numbers), len(self.edge_source)
        expected = {
            "atomic_numbers": (n_atoms,),
            "frac_coords": (n_atoms, 3),
            "lattice": (len(self.lattice), 3, 3),
            "batch": (n_atoms,),
            "edge_source": (n_edges,),
            "edge_target": (n_edges,),
            "edge_image": (n_edges, 3),
        }
        if self.occupancy is not None:
            expected["occupancy"] = (n_atoms, N_ELEMENTS + 1)
        if self.embedding is not None:
            expected["embedding"] = (len(self.lattice), self.embedding.shape[-1])
        for name, shape in expected.items():
            found = tuple(getattr(self, name).shape)
            if found != shape:
                raise ValueError(f"{name} has shape {found}, expected {shape}")

    @property
    def n_crystals(self) -> int:
        """Number of crystals in the batch."""
        return len(self.lattice)

    def edge_vector(self) -> Tensor:
        r"""Vector from the centre to the neighbour's image, (n_edges, 3) in Å, differentiable.

        $$ \mathbf r_e = (\mathbf f_j + \mathbf n - \mathbf f_i)\, L $$
        """
        displacement = (
            self.frac_coords[self.edge_target]
            + self.edge_image.to(self.frac_coords.dtype)
            - self.frac_coords[self.edge_source]
        )
        lattice = self.lattice[self.batch[self.edge_source]]  # (n_edges, 3, 3)
        return (displacement[:, :, None] * lattice).sum(dim=1)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "CrystalBatch":
        """Return the batch on another device."""
        tensors = {f.name: getattr(self, f.name) for f in fields(self)}
        moved = {
            name: tensor.to(device, non_blocking=non_blocking) for name, tensor in tensors.items() if tensor is not None
        }
        return replace(self, **moved)

    def element_shares(self) -> Tensor:
        """Return the share of each element on each site, (n_atoms, 119); one-hot where `occupancy` is None."""
        if self.occupancy is not None:
            return self.occupancy
        one_hot = torch.nn.functional.one_hot(self.atomic_numbers, N_ELEMENTS + 1)
        return one_hot.to(self.frac_coords.dtype)

    @classmethod
    def concatenate(cls, batches: Sequence["CrystalBatch"]) -> "CrystalBatch":
        """Join batches (often of one crystal each) into one, in order.

        Raises:
            ValueError: `batches` is empty, or only some of them have an embedding.
        """
        if not batches:
            raise ValueError("cannot concatenate an empty list of batches")
        atom_offset = crystal_offset = 0
        batch, source, target = [], [], []
        for part in batches:
            batch.append(part.batch + crystal_offset)
            source.append(part.edge_source + atom_offset)
            target.append(part.edge_target + atom_offset)
            atom_offset += len(part.atomic_numbers)
            crystal_offset += part.n_crystals
        return cls(
            atomic_numbers=torch.cat([part.atomic_numbers for part in batches]),
            frac_coords=torch.cat([part.frac_coords for part in batches]),
            lattice=torch.cat([part.lattice for part in batches]),
            batch=torch.cat(batch),
            edge_source=torch.cat(source),
            edge_target=torch.cat(target),
            edge_image=torch.cat([part.edge_image for part in batches]),
            occupancy=_join_occupancy(batches),
            embedding=_join_embedding(batches),
        )


def _join_occupancy(batches: Sequence[CrystalBatch]) -> Tensor | None:
    if all(part.occupancy is None for part in batches):
        return None
    return torch.cat([part.element_shares() for part in batches])


def _join_embedding(batches: Sequence[CrystalBatch]) -> Tensor | None:
    embeddings = [part.embedding for part in batches if part.embedding is not None]
    if 0 < len(embeddings) < len(batches):
        raise ValueError(f"{len(embeddings)} of {len(batches)} batches have an embedding; all or none must")
    return torch.cat(embeddings) if embeddings else None


@dataclass(frozen=True)
class CrystalFeatures:
    """What a graph encoder says about a batch.

    Attributes:
        nodes: (n_atoms, d) one vector per atom.
        pooled: (n_crystals, d) one vector per crystal.
        batch: (n_atoms,) int64 crystal of each atom, sorted.
    """

    nodes: Tensor
    pooled: Tensor
    batch: Tensor


class GraphEncoder(nn.Module, ABC):
    """A network from crystals to features that serves pretraining, fusion and DOS alike.

    Features are invariant to rotation, translation, atom order, the choice of lattice vectors, the choice of cell
    (mean pooling) and to what else is in the batch.

    Attributes:
        dim: d, the number of features.
    """

    dim: int

    @abstractmethod
    def forward(self, crystals: CrystalBatch) -> CrystalFeatures:
        """Encode a batch."""

    def calibrate(self, crystals: CrystalBatch) -> None:
        """Set the constants that depend on data, from a batch of training crystals; most encoders have none."""


def site_features(table: Tensor, crystals: CrystalBatch) -> Tensor:
    """Look up features of the elements for every site; a mixed site gets the average weighted by occupancy.

    Args:
        table: (119, d), row Z is element Z.
        crystals: a batch of n_atoms sites.

    Returns:
        (n_atoms, d).
    """
    if crystals.occupancy is None:
        return table.index_select(0, crystals.atomic_numbers)
    return crystals.occupancy.to(table.dtype) @ table
