r"""The periodic images that an atom sees: all lattice translations of all atoms within a radius, in padded blocks.

The list is a property of the infinite crystal. It does not depend on the choice of cell, on wrapping or on the order of
the atoms, so a sum over it does not either.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from models.graph.batch import CrystalBatch

_BLOCK_SLOTS = 16384  # images in one block on a CPU: what one step of attention touches then stays in the cache
_ACCELERATOR_SLOTS = 1 << 22
_FAR = 1e6  # Å², squared distance of a padded image: any Gaussian of it is zero


@dataclass
class ImageBlock:
    r"""The images that $A$ atoms see, padded to $M$ images and $P$ distinct neighbour atoms.

    Attributes:
        centre: (A,) int64 the atoms that look.
        neighbor: (A, P) int64 the atoms of the cell whose images they see, by the distance of the nearest image.
        slot: (A, M) int64 column of `neighbor` that an image belongs to; images are sorted by distance.
        squared_distance: (A, M) Å², differentiable; 1e6 where padded.
        vector: (A, M, 3) Å, from the centre to the image; zero where padded.
    """

    centre: Tensor
    neighbor: Tensor
    slot: Tensor
    squared_distance: Tensor
    vector: Tensor

    def nearest(self, n_images: int) -> "ImageBlock":
        """Return the block with the first columns only."""
        slot = self.slot[:, :n_images]
        return replace(
            self,
            neighbor=self.neighbor[:, : int(slot.max()) + 1],
            slot=slot,
            squared_distance=self.squared_distance[:, :n_images],
            vector=self.vector[:, :n_images],
        )


def gaussian_reach(tolerance: float) -> float:
    r"""Return the radius, in standard deviations, beyond which a share `tolerance` of a 3D Gaussian's weight lies.

    Solves $ \operatorname{erfc}(x/\sqrt2) + \sqrt{2/\pi}\, x\, e^{-x^2/2} = \text{tolerance} $ by bisection.
    """
    low, high = 0.0, 40.0
    for _ in range(100):
        x = (low + high) / 2
        outside = math.erfc(x / math.sqrt(2)) + math.sqrt(2 / math.pi) * x * math.exp(-x * x / 2)
        low, high = (x, high) if outside > tolerance else (low, x)
    return high


def images_within(crystals: CrystalBatch, radius: float) -> list[ImageBlock]:
    """Find every image of every atom within a radius (Å) of each atom, the atom itself included."""
    with torch.no_grad():
        centre, neighbor = atom_pairs(crystals)
        pair, image = _enumerate_sphere(crystals, centre, neighbor, radius)
        centre, neighbor = centre.index_select(0, pair), neighbor.index_select(0, pair)
    return image_blocks(crystals, centre, neighbor, image)


def atom_pairs(crystals: CrystalBatch) -> tuple[Tensor, Tensor]:
    """Return all ordered pairs (i, j) of atoms of the same crystal, i = j included, sorted; two (n_pairs,)."""
    counts = torch.bincount(crystals.batch, minlength=crystals.n_crystals)  # (n_crystals,)
    first = counts.cumsum(0) - counts
    n_partners = counts[crystals.batch]  # (n_atoms,)
    atoms = torch.arange(len(crystals.batch), device=crystals.batch.device)
    centre = atoms.repeat_interleave(n_partners)
    return centre, _count_up(n_partners) + first[crystals.batch].repeat_interleave(n_partners)


def _enumerate_sphere(crystals: CrystalBatch, centre: Tensor, neighbor: Tensor, radius: float) -> tuple[Tensor, Tensor]:
    r"""Return pair index (n,) and translation (n, 3) of the images within a sphere, sorted by pair.

    With the triangular factor $T$ of the Gram matrix, $L L^\top = T T^\top$, the squared distance is
    $\lVert (f_j - f_i + n)\, T \rVert^2$, so that $n_3$, then $n_2$, then $n_1$ run over an interval each and no image
    outside the sphere is looked at. Fincke and Pohst, *Improved methods for calculating vectors of short length in a
    lattice*, Math. Comp. 44, 463 (1985), doi:10.1090/S0025-5718-1985-0777278-8.
    """
    lattice = crystals.lattice.double()
    triangle = torch.linalg.cholesky(lattice @ lattice.transpose(1, 2))  # (n_crystals, 3, 3)
    crystal = crystals.batch[centre]
    frac_coords = crystals.frac_coords.double()
    difference = frac_coords[neighbor] - frac_coords[centre]  # (n_pairs, 3)
    pair = torch.arange(len(centre), device=centre.device)
    offset = torch.zeros_like(difference)  # (n, 3) Å, what the translations chosen so far add along each axis of T
    left = torch.full_like(difference[:, 0], radius**2)  # (n,) Å², what is left of the squared radius
    chosen: list[Tensor] = []
    for axis in (2, 1, 0):
        owner = crystal.index_select(0, pair)
        step = triangle[:, axis, axis].index_select(0, owner)
        start = difference[:, axis].index_select(0, pair)
        middle, half = start + offset[:, axis] / step, left.clamp_min(0).sqrt() / step
        lowest = torch.ceil(-half - middle)
        count = (torch.floor(half - middle) - lowest + 1).clamp_min(0).long()
        parent = torch.arange(len(pair), device=pair.device).repeat_interleave(count)
        n = lowest.index_select(0, parent) + _count_up(count)
        chosen = [n, *(column.index_select(0, parent) for column in chosen)]
        pair = pair.index_select(0, parent)
        if axis:
            moved = start.index_select(0, parent) + n
            row = triangle[:, axis].index_select(0, owner.index_select(0, parent))
            offset = offset.index_select(0, parent) + moved[:, None] * row
            left = left.index_select(0, parent) - offset[:, axis].square()
    return pair, torch.stack(chosen, dim=1)


def image_blocks(crystals: CrystalBatch, centre: Tensor, neighbor: Tensor, image: Tensor) -> list[ImageBlock]:
    """Lay a list of images out in blocks of atoms that see about equally many.

    Args:
        crystals: where positions and lattice come from, and their gradients go to.
        centre: (n_images,) int64 the atom that looks; every atom must see at least one image.
        neighbor: (n_images,) int64 the atom it sees an image of; sorted by (centre, neighbor).
        image: (n_images, 3) translation in lattice vectors.
    """
    n_atoms = len(crystals.batch)
    vector = _vectors(crystals, centre, neighbor, image)
    with torch.no_grad():
        counts = torch.bincount(centre, minlength=n_atoms)
        atoms = torch.argsort(counts, stable=True)  # from the one that sees the fewest
        rank = torch.empty_like(atoms).index_copy_(0, atoms, torch.arange(n_atoms, device=atoms.device))
        place = rank[centre] * (2.0 * _FAR) + vector.square().sum(dim=1).double()  # by atom, then by distance
        order = torch.argsort(place, stable=True)
        pairs, pair = torch.unique_consecutive(centre * n_atoms + neighbor, return_inverse=True)
        nearest = torch.full_like(pairs, torch.inf, dtype=place.dtype).scatter_reduce(0, pair, place, "amin")
        pair_order = torch.argsort(nearest, stable=True)
        n_pairs = torch.bincount(pairs // n_atoms, minlength=n_atoms)[atoms]  # distinct neighbours, by rank
        pair_place = torch.empty_like(pair_order).index_copy_(
            0, pair_order, torch.arange(len(pairs), device=pair.device)
        )
        slot = pair_place[pair] - (n_pairs.cumsum(0) - n_pairs)[rank[centre]]
    vector = vector[order]
    squared = vector.square().sum(dim=1)
    listing = _Listing(atoms, counts[atoms], n_pairs, slot[order], (pairs % n_atoms)[pair_order], squared, vector)
    sizes = listing.n_images.tolist()
    return [listing.block(start, stop) for start, stop in _cuts(sizes, accelerated=not vector.is_cpu)]


class _Listing:
    """All images of a batch in one list, sorted by atom and distance; `atoms` gives the order of the atoms.

    `n_images` and `n_pairs` (n_atoms,) count images and distinct neighbours in that order. `slot`, `squared`
    (all images,) and `vector` (all images, 3) belong to the images, `neighbor` (all pairs,) to the pairs.
    """

    def __init__(
        self,
        atoms: Tensor,
        n_images: Tensor,
        n_pairs: Tensor,
        slot: Tensor,
        neighbor: Tensor,
        squared: Tensor,
        vector: Tensor,
    ) -> None:
        self.atoms, self.n_images, self.n_pairs = atoms, n_images, n_pairs
        self.first_pair = n_pairs.cumsum(0) - n_pairs
        self.ends = [0, *self.n_images.cumsum(0).tolist()]
        self.slot, self.neighbor, self.squared, self.vector = slot, neighbor, squared, vector

    def block(self, start: int, stop: int) -> ImageBlock:
        """Return the block of the atoms at these places of the order."""
        images = slice(self.ends[start], self.ends[stop])
        centre, n_images, n_pairs = self.atoms[start:stop], self.n_images[start:stop], self.n_pairs[start:stop]
        seen = torch.arange(int(n_images[-1]), device=centre.device) < n_images[:, None]  # (A, M)
        columns = torch.arange(int(n_pairs.max()), device=centre.device)  # (P,)
        pair = self.first_pair[start:stop, None] + columns.clamp_max(n_pairs[:, None] - 1)  # the last one pads
        slot = torch.zeros_like(seen, dtype=torch.int64).masked_scatter_(seen, self.slot[images])
        squared = self.squared.new_full(seen.shape, _FAR).masked_scatter(seen, self.squared[images])
        vector = self.vector.new_zeros(*seen.shape, 3).masked_scatter(seen[..., None], self.vector[images])
        return ImageBlock(centre, self.neighbor[pair], slot, squared, vector)


def _cuts(sizes: list[int], accelerated: bool) -> list[tuple[int, int]]:
    """Cut ascending row sizes into runs whose padded size fits the budget; an accelerator takes much at once."""
    budget = _ACCELERATOR_SLOTS if accelerated else _BLOCK_SLOTS
    cuts, start = [], 0
    for stop in range(1, len(sizes) + 1):
        if stop == len(sizes) or (stop + 1 - start) * sizes[stop] > budget:
            cuts.append((start, stop))
            start = stop
    return cuts


def _vectors(crystals: CrystalBatch, centre: Tensor, neighbor: Tensor, image: Tensor) -> Tensor:
    """Vectors (n, 3) in Å from atoms to images of atoms."""
    frac_coords = crystals.frac_coords
    difference = frac_coords.index_select(0, neighbor) - frac_coords.index_select(0, centre)
    difference = difference + image.to(frac_coords.dtype)
    crystal = crystals.batch.index_select(0, centre)
    along = [difference[:, d : d + 1] * crystals.lattice[:, d].index_select(0, crystal) for d in range(3)]
    return along[0] + along[1] + along[2]


def _count_up(counts: Tensor) -> Tensor:
    """Return 0, 1, ... count - 1 for each count, one after the other."""
    ends = counts.cumsum(0)
    total = torch.arange(int(ends[-1]) if len(ends) else 0, device=counts.device)
    return total - (ends - counts).repeat_interleave(counts)
