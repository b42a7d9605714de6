"""Crystals for the tests, with a neighbour list that counts every image one by one."""

import dataclasses
import functools
import gzip
import itertools
import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray
from pymatgen.core import Structure
from torch import Tensor

from models.graph.batch import CrystalBatch

CUTOFF = 4.0  # Å
SAMPLE = Path(__file__).parents[2] / "data" / "sample" / "materials_project.jsonl.gz"
_PAIRS_AT_ONCE = 1_000_000


class Material(NamedTuple):
    """What a crystal is made of: Z of each atom, fractional coordinates (n, 3), rows of lattice vectors (3, 3) in Å."""

    atomic_numbers: list[int]
    frac_coords: Tensor
    lattice: Tensor


def crystal(atomic_numbers: list[int], frac_coords: Tensor, lattice: Tensor, cutoff: float = CUTOFF) -> CrystalBatch:
    """One crystal with every neighbour closer than the cutoff (whole shells, no cap), float64."""
    table = torch.from_numpy(_edges(frac_coords.numpy(), lattice.numpy(), cutoff))
    return CrystalBatch(
        atomic_numbers=torch.tensor(atomic_numbers),
        frac_coords=frac_coords,
        lattice=lattice[None],
        batch=torch.zeros(len(atomic_numbers), dtype=torch.int64),
        edge_source=table[:, 0],
        edge_target=table[:, 1],
        edge_image=table[:, 2:].double(),
    )


def _edges(frac: NDArray[np.float64], cell: NDArray[np.float64], cutoff: float) -> NDArray[np.int64]:
    """Sorted rows of source, target and image (n_edges, 5) of all pairs closer than the cutoff, by brute force."""
    spacing = abs(np.linalg.det(cell)) / np.linalg.norm(np.cross(cell[[1, 2, 0]], cell[[2, 0, 1]]), axis=1)
    reach = [math.ceil(cutoff / d + np.ptp(frac[:, k])) for k, d in enumerate(spacing)]
    images = np.array(list(itertools.product(*(range(-r, r + 1) for r in reach))))
    displacement = (frac[None, :] - frac[:, None]) @ cell  # (n, n, 3)
    size = np.linalg.norm(displacement, axis=-1).max()
    images = images[np.linalg.norm(images @ cell, axis=1) <= cutoff + size]
    rows = []
    for part in np.array_split(images, math.ceil(len(images) * len(frac) ** 2 / _PAIRS_AT_ONCE)):
        distance = np.linalg.norm(displacement + (part @ cell)[:, None, None], axis=-1)  # (n_images, n, n)
        image, source, target = np.nonzero((distance > 1e-8) & (distance < cutoff))
        rows.append(np.column_stack([source, target, part[image]]))
    table = np.concatenate(rows)
    return table[np.lexsort(table.T[::-1])]


def triclinic(seed: int, n_atoms: int = 4) -> Material:
    """A crystal without any symmetry."""
    generator = torch.Generator().manual_seed(seed)
    lattice = 3.5 * torch.eye(3, dtype=torch.float64) + 0.8 * torch.randn(
        3, 3, generator=generator, dtype=torch.float64
    )
    frac_coords = torch.rand(n_atoms, 3, generator=generator, dtype=torch.float64)
    elements = torch.randint(1, 95, (n_atoms,), generator=generator).tolist()
    return Material(elements, frac_coords, lattice)


@st.composite
def drawn_materials(draw: st.DrawFn) -> Material:
    """1 to 6 atoms of any elements, at least 1.1 Å apart, in a skewed cell, not all of them inside of it."""
    points = draw(st.lists(st.integers(0, 63), min_size=1, max_size=6, unique=True))  # of a 4 x 4 x 4 grid
    n_atoms = len(points)
    elements = draw(st.lists(st.integers(1, 118), min_size=n_atoms, max_size=n_atoms))
    jitter = draw(st.lists(st.floats(-0.1, 0.1), min_size=3 * n_atoms, max_size=3 * n_atoms))
    outside = draw(st.lists(st.integers(-1, 1), min_size=3 * n_atoms, max_size=3 * n_atoms))
    grid = np.stack(np.unravel_index(points, (4, 4, 4)), axis=1) / 4
    frac = grid + np.reshape(jitter, (n_atoms, 3)) + np.reshape(outside, (n_atoms, 3))
    a, b, c = draw(st.tuples(*[st.floats(2.5, 6.0)] * 3))
    ab, ac, bc = draw(st.tuples(*[st.floats(-1.0, 1.0)] * 3))
    cell = np.array([[a, 0, 0], [ab * a, b, 0], [ac * a, bc * b, c]])
    close = _edges(frac, cell, 1.1)
    if len(close):
        separation = (frac[close[:, 1]] + close[:, 2:] - frac[close[:, 0]]) @ cell
        cell = cell * 1.1 / np.linalg.norm(separation, axis=1).min()
    return Material(elements, torch.from_numpy(frac), torch.from_numpy(cell))


@functools.cache
def sample_materials() -> list[Material]:
    """Twelve crystals of the sample data set, from the smallest cell to the largest."""
    with gzip.open(SAMPLE, "rt", encoding="utf-8") as file:
        structures = [Structure.from_dict(json.loads(line)["structure"]) for line in file]
    structures.sort(key=len)
    chosen = [structures[i] for i in np.linspace(0, len(structures) - 1, 12).astype(int)]
    return [
        Material(list(s.atomic_numbers), torch.from_numpy(s.frac_coords), torch.from_numpy(s.lattice.matrix.copy()))
        for s in chosen
    ]


def supercell(material: Material, repeat: tuple[int, int, int]) -> Material:
    """The same crystal with a cell repeated along the lattice vectors; the atoms follow copy by copy."""
    elements, frac_coords, lattice = material
    times = torch.tensor(repeat, dtype=torch.float64)
    shifts = torch.cartesian_prod(*(torch.arange(n, dtype=torch.float64) for n in repeat))  # (n_copies, 3)
    frac = ((frac_coords + shifts[:, None]) / times).flatten(0, 1)  # (n_copies * n_atoms, 3)
    return Material(elements * len(shifts), frac, times[:, None] * lattice)


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


def single_precision(batch: CrystalBatch) -> CrystalBatch:
    """The batch as training sees it: float32, images in int8."""
    return dataclasses.replace(
        batch,
        frac_coords=batch.frac_coords.float(),
        lattice=batch.lattice.float(),
        edge_image=batch.edge_image.to(torch.int8),
    )
