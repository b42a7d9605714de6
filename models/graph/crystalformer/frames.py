"""Angular value encoding of CrystalFramer: directions seen in a frame that attention itself chooses."""

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from models.graph.crystalformer.lattice_images import ImageBlock
from models.graph.crystalformer.radial_gaussians import gaussians

_N_ANGULAR = 64  # Gaussians on the cosine, as published
_WIDTH = 4.0  # their width in units of their spacing
_PREFER_ACUTE = 1e-3  # of two second axes that are equally good, the one at an acute angle to the first


class FrameEncoding(nn.Module):
    r"""Weighted average of Gaussians of the direction cosines of the images, for each atom and head.

    $$ \psi^{ang}_{ij(\mathbf n)} = \sum_{k=1}^{3} W_k\, b^{ang}\!\left( e_k \cdot \hat r_{ij(\mathbf n)} \right) $$

    Ito, Taniai, Igarashi, Ushiku, Ono, *Rethinking the role of frames for SE(3)-invariant crystal structure modeling*,
    ICLR 2025, arXiv:2503.02209, section 4, with "max frames": the first axis points to the image of largest attention
    weight $p$, the second to the image of largest $p \sin^2$ of its angle to the first, made orthogonal, the third is
    their product. Here nothing random breaks ties: neighbours that a symmetry of the site exchanges give the same
    features whichever is chosen. To that end the third axis counts alike in both directions, so that mirror images,
    which have the same energies, have the same features too. What is left: at a site of symmetry 4-bar two choices of
    the second axis are equally good and not equivalent, and no frame has a derivative where it changes its mind.

    Args:
        n_heads: H.
        head_dim: d_h.
    """

    def __init__(self, n_heads: int, head_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3, n_heads, head_dim, _N_ANGULAR))
        bound = (6.0 / (n_heads * head_dim + _N_ANGULAR)) ** 0.5 * _N_ANGULAR**-0.5
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, p: Tensor, block: ImageBlock) -> Tensor:
        """Return Σ p ψ (A, H, d_h) for attention weights p (A, H, M) on the images of a block."""
        apart = (block.squared_distance > 0) & (block.vector != 0).any(dim=-1)  # neither the atom itself nor padding
        length = block.squared_distance.where(apart, 1.0).sqrt()
        unit = block.vector / length[..., None]  # (A, M, 3), zero where not apart
        p = p * apart[:, None]
        averages = []
        for index, axis in enumerate(max_frame(p, unit)):
            # recomputed in the backward pass: the Gaussians of one axis take H · 64 numbers an image
            average = checkpoint(_average, p, axis @ unit.transpose(1, 2), use_reentrant=False)
            averages.append((average + average.flip(-1)) / 2 if index == 2 else average)
        return torch.einsum("cahk,chdk->ahd", torch.stack(averages), self.weight)


def max_frame(p: Tensor, unit: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Choose three orthonormal axes per atom and head, (A, H, 3) each; zero where the images do not define one.

    Args:
        p: (A, H, M) attention weights, zero at images without a direction.
        unit: (A, M, 3) unit vectors, zero at images without a direction.
    """
    first = _gather(unit, p.argmax(dim=-1))
    cosine = first @ unit.transpose(1, 2)  # (A, H, M)
    score = p * (1.0 - cosine.square()).clamp_min(0.0) * (1.0 + _PREFER_ACUTE * cosine)
    second = _gather(unit, score.argmax(dim=-1))
    across = second - (second * first).sum(dim=-1, keepdim=True) * first
    squared = across.square().sum(dim=-1, keepdim=True)
    defined = squared > 1e-6  # all images on one line leave the second axis open
    second = torch.where(defined, across * squared.where(defined, 1.0).rsqrt(), 0.0)
    return first, second, torch.linalg.cross(first, second)


def _gather(unit: Tensor, image: Tensor) -> Tensor:
    """Pick unit vectors (A, H, 3) by their column (A, H)."""
    return unit.gather(1, image[..., None].expand(-1, -1, 3))


def _average(p: Tensor, cosine: Tensor) -> Tensor:
    """Average the Gaussians of the cosines (A, H, M) with weights p (A, H, M); (A, H, 64)."""
    t = (cosine + 1.0) / 2.0 * (_N_ANGULAR - 1) + 1.0  # centres 1 ... 64 lie evenly in [-1, 1]
    return (p[:, :, None] @ gaussians(t / _WIDTH, _N_ANGULAR, 1.0 / _WIDTH)).squeeze(2)
