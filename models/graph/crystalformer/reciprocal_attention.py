"""Attention heads that evaluate the sum over the infinite lattice in reciprocal space."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.dropout import Dropout
from models.graph.batch import CrystalBatch
from models.layers import to_dense

_LEAST_SUM = 1e-6  # the paper's floor under the lattice sum, whose logarithm is taken


@dataclass
class ReciprocalSpace:
    r"""Plane waves of every crystal of a batch, and its atoms in padded rows.

    Attributes:
        mask: (B, n_max) True at atoms.
        cosine: (B, n_max, n_waves) of the phase of each atom in each wave; zero where padded.
        sine: (B, n_max, n_waves), likewise.
        squared_wave: (B, n_waves) $|\Omega|^2$ in Å⁻².
        multiplicity: (B, n_waves) 1 for the constant, 2 for a wave that stands for its inverse too, 0 where padded.
        volume: (B,) Å³.
    """

    mask: Tensor
    cosine: Tensor
    sine: Tensor
    squared_wave: Tensor
    multiplicity: Tensor
    volume: Tensor


class ReciprocalHeads(nn.Module):
    r"""Attention heads whose Gaussian lattice sum is its Poisson transform.

    $$ \alpha_{ij} = \log \max\!\Big( \sum_{\mathbf m} e^{-\bar\sigma_i^2 |\Omega_{\mathbf m}|^2 / 2}
           \cos\big(\Omega_{\mathbf m} \cdot (p_j - p_i)\big),\ 10^{-6} \Big)
         + \tfrac32 \log(2\pi\bar\sigma_i^2) - \log V, \qquad \bar\sigma_i^2 = \bar r_0^2\, \rho_i $$

    There is no value encoding. Appendix of the paper cited at `Crystalformer`. The cosine of a difference is a product
    of two factors, so the sum is a product of two matrices and no number is kept per pair and wave.

    Args:
        scale: $\bar r_0$ in Å.
        dropout: probability of dropping a neighbour atom from the attention.
    """

    def __init__(self, scale: float, dropout: float) -> None:
        super().__init__()
        self.scale = scale
        self.dropout = Dropout(dropout)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, rho: Tensor, space: ReciprocalSpace) -> Tensor:
        """Return heads (n_atoms, H, d_h); arguments as in `RealSpaceHeads.forward`."""
        head_dim = query.shape[-1]
        q, k, v = (_dense_heads(tensor, space.mask) for tensor in (query, key, value))  # (B, H, n_max, d_h)
        with torch.autocast(rho.device.type, enabled=False):  # its terms cancel, which 8 bits do not survive
            alpha = self.alpha(_dense_heads(rho[..., None], space.mask).squeeze(-1), space)
        logits = q @ k.transpose(-1, -2) * head_dim**-0.5 + alpha
        logits = logits.masked_fill(~space.mask[:, None, None], -torch.inf)
        heads = self.dropout(logits.softmax(dim=-1)) @ v  # (B, H, n_max, d_h)
        return heads.transpose(1, 2)[space.mask]

    def alpha(self, rho: Tensor, space: ReciprocalSpace) -> Tensor:
        """Return α (B, H, n_max, n_max) for ρ (B, H, n_max); padded atoms have any value."""
        variance = self.scale**2 * rho.clamp_min(torch.finfo(rho.dtype).tiny)  # (B, H, n_max)
        damping = torch.exp(-0.5 * variance[..., None] * space.squared_wave[:, None, None])
        damping = damping * space.multiplicity[:, None, None]  # (B, H, n_max, n_waves)
        lattice_sum = (damping * space.cosine[:, None]) @ space.cosine[:, None].transpose(-1, -2)
        lattice_sum = lattice_sum + (damping * space.sine[:, None]) @ space.sine[:, None].transpose(-1, -2)
        offset = 1.5 * torch.log(2.0 * math.pi * variance) - torch.log(space.volume)[:, None, None]
        return torch.log(lattice_sum.clamp_min(_LEAST_SUM)) + offset[..., None]


def waves_within(crystals: CrystalBatch, radius: float) -> ReciprocalSpace:
    """Return the plane waves with a wave vector, 2π included, of at most `radius` in Å⁻¹."""
    with torch.no_grad():
        lattice = crystals.lattice.double()
        reach = torch.floor(radius * lattice.norm(dim=2) / (2.0 * math.pi)).long()  # (B, 3)
        reciprocal = 2.0 * math.pi * torch.linalg.inv(lattice)  # (B, 3, 3), columns
        chosen = []
        for vectors, bounds in zip(reciprocal, reach.tolist(), strict=True):
            indices = half_space(bounds).to(vectors.device)
            near = (indices.to(vectors.dtype) @ vectors.T).square().sum(dim=1) <= radius**2
            chosen.append(indices[near])
    return plane_waves(crystals, chosen)


def half_space(bounds: list[int]) -> Tensor:
    """Return the origin and one of each pair ±m with |m_d| ≤ bounds_d, (n, 3) int64, the origin first."""
    indices = torch.cartesian_prod(*(torch.arange(-bound, bound + 1) for bound in bounds))
    return indices[len(indices) // 2 :]  # sorted: the second half are the inverses of the first


def plane_waves(crystals: CrystalBatch, indices: list[Tensor]) -> ReciprocalSpace:
    """Evaluate plane waves at the atoms.

    Args:
        crystals: positions and lattice, whose gradients are kept.
        indices: for each crystal (n_waves, 3) int64 Miller indices from `half_space`, the origin first.
    """
    n_waves = torch.tensor([len(one) for one in indices], device=crystals.lattice.device)
    padded = nn.utils.rnn.pad_sequence(indices, batch_first=True).to(crystals.lattice.dtype)  # (B, n_waves, 3)
    multiplicity = torch.full(padded.shape[:2], 2.0, dtype=padded.dtype, device=padded.device)
    multiplicity[:, 0] = 1.0
    multiplicity = multiplicity * (torch.arange(padded.shape[1], device=padded.device) < n_waves[:, None])
    reciprocal = 2.0 * math.pi * torch.linalg.inv(crystals.lattice).transpose(1, 2)  # (B, 3, 3), rows
    frac_coords, mask = to_dense(crystals.frac_coords, crystals.batch, crystals.n_crystals)
    phase = 2.0 * math.pi * frac_coords @ padded.transpose(1, 2)  # (B, n_max, n_waves)
    return ReciprocalSpace(
        mask=mask,
        cosine=torch.cos(phase) * mask[..., None],
        sine=torch.sin(phase) * mask[..., None],
        squared_wave=(padded @ reciprocal).square().sum(dim=-1),
        multiplicity=multiplicity,
        volume=torch.linalg.det(crystals.lattice).abs(),
    )


def _dense_heads(values: Tensor, mask: Tensor) -> Tensor:
    """Lay (n_atoms, H, d) out as (B, H, n_max, d)."""
    dense = values.new_zeros(*mask.shape, *values.shape[1:])
    return dense.masked_scatter(mask[..., None, None], values).transpose(1, 2)
