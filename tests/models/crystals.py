"""Crystals for the tests, with a neighbour list that counts every image one by one."""

import itertools
import math

import numpy as np
import torch
from torch import Tensor

from models.graph.batch import CrystalBatch

CUTOFF = 4.0  # Å


def crystal(atomic_numbers: list[int], frac_coords: Tensor, lattice: Tensor, cutoff: float = CUTOFF) -> CrystalBatch:
    """One crystal with every neighbour closer than the cutoff (whole shells, no cap), float64."""
    frac, cell = frac_coords.numpy(), lattice.numpy()
    spacing = abs(np.linalg.det(cell)) * 1 / np.linalg.norm(np.cross(cell[[1, 2, 0]], cell[[2, 0, 1]]), axis=1)
    reach = [math.ceil(cutoff / d + np.ptp(frac[:, k])) for k, d in enumerate(spacing)]
    edges = []
    for i, j in itertools.product(range(len(frac)), repeat=2):
        for image in itertools.product(*(range(-r, r + 1) for r in reach)):
            distance = np.linalg.norm((frac[j] + image - frac[i]) @ cell)
            if 1e-8 < distance < cutoff:
                edges.append((i, j, *image))
    table = torch.tensor(edges, dtype=torch.int64).reshape(-1, 5)
    return CrystalBatch(
        atomic_numbers=torch.tensor(atomic_numbers),
        frac_coords=frac_coords,
        lattice=lattice[None],
        batch=torch.zeros(len(atomic_numbers), dtype=torch.int64),
        edge_source=table[:, 0],
        edge_target=table[:, 1],
        edge_image=table[:, 2:].double(),
    )


def triclinic(seed: int, n_atoms: int = 4) -> tuple[list[int], Tensor, Tensor]:
    """Elements, fractional coordinates and lattice of a crystal without any symmetry."""
    generator = torch.Generator().manual_seed(seed)
    lattice = 3.5 * torch.eye(3, dtype=torch.float64) + 0.8 * torch.randn(
        3, 3, generator=generator, dtype=torch.float64
    )
    frac_coords = torch.rand(n_atoms, 3, generator=generator, dtype=torch.float64)
    elements = torch.randint(1, 95, (n_atoms,), generator=generator).tolist()
    return elements, frac_coords, lattice


def isolated_atom() -> CrystalBatch:
    """An argon atom without any neighbour."""
    return crystal([18], torch.zeros(1, 3, dtype=torch.float64), 20.0 * torch.eye(3, dtype=torch.float64))


def random_rotation(seed: int) -> Tensor:
    """A proper rotation, (3, 3) float64; row vectors are rotated by `x @ rotation`."""
    generator = torch.Generator().manual_seed(seed)
    q, _ = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))
    return q * torch.linalg.det(q)


def three_crystals() -> CrystalBatch:
    """A batch of four atoms, one isolated atom and two atoms."""
    return CrystalBatch.concatenate([crystal(*triclinic(1)), isolated_atom(), crystal(*triclinic(2, n_atoms=2))])
