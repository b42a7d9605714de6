"""What goes into a graph encoder and what comes out of it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn


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
        moved = [getattr(self, f.name).to(device, non_blocking=non_blocking) for f in fields(self)]
        return CrystalBatch(*moved)

    @classmethod
    def concatenate(cls, batches: Sequence["CrystalBatch"]) -> "CrystalBatch":
        """Join batches (often of one crystal each) into one, in order.

        Raises:
            ValueError: `batches` is empty.
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
        )


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
