"""Crystalformer written down pair by pair from the paper's formulas: every pair of atoms, every image of a window.

The reference of the tests. It keeps the inner log-sum-exp and the inner softmax over images of the paper, and it builds
the radial functions of every pair and image in every block.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.graph.batch import CrystalBatch, CrystalFeatures
from models.graph.crystalformer.model import Crystalformer, CrystalformerBlock


class DenseCrystalformer(nn.Module):
    """The same weights as an encoder, summed over the window |n_d| ≤ `reach` of every pair (real space only)."""

    def __init__(self, encoder: Crystalformer, reach: int = 2) -> None:
        super().__init__()
        self.encoder = encoder
        self.window = torch.cartesian_prod(*[torch.arange(-reach, reach + 1)] * 3)  # (n_images, 3)

    @classmethod
    def of(cls, encoder: Crystalformer) -> "DenseCrystalformer":
        """Wrap an encoder with the window of the published PyTorch path, 125 images."""
        return cls(encoder)

    def forward(self, crystals: CrystalBatch) -> CrystalFeatures:
        """Encode crystal by crystal."""
        nodes = []
        for index in range(crystals.n_crystals):
            here = crystals.batch == index
            x = self.encoder.element_table(crystals.atomic_numbers[here])
            distance = self.distances(crystals.frac_coords[here], crystals.lattice[index])
            for block in self.encoder.blocks:
                assert isinstance(block, CrystalformerBlock)
                x = x + self.attention(block, x, distance)
                x = x + block.contract(F.relu(block.expand(x)))
            nodes.append(x)
        pooled = torch.stack([one.mean(dim=0) for one in nodes])
        return CrystalFeatures(torch.cat(nodes), pooled, crystals.batch)

    def distances(self, frac_coords: Tensor, lattice: Tensor) -> Tensor:
        """‖p_j + nA − p_i‖, (N, N, n_images) in Å."""
        window = self.window.to(frac_coords.dtype)
        difference = frac_coords[None, :, None] + window - frac_coords[:, None, None]
        return (difference @ lattice).norm(dim=-1)

    def attention(self, block: CrystalformerBlock, x: Tensor, distance: Tensor) -> Tensor:
        """Output (N, d) of one block's attention."""
        n_heads, head_dim = block.width.weight.shape
        q, k, v = block.query_key_value(x).view(len(x), 3, n_heads, head_dim).unbind(1)
        scale, shift = block.width.gauss_scale
        u = (torch.einsum("ihd,hd->ih", q, block.width.weight) + shift) * scale
        b = block.width.lower_bound
        rho = (1 - b) * torch.where(u > 0, 0.1 * u / (1 - b), torch.exp(torch.clamp(0.1 * u / (1 - b), max=0)) - 1) + 1
        assert block.real is not None
        phi = -rho[:, :, None, None] / (2 * block.real.scale**2) * distance[:, None] ** 2  # (N, H, N, n_images)
        alpha = torch.logsumexp(phi, dim=-1)  # (N, H, N)
        p = torch.softmax(torch.einsum("ihd,jhd->ihj", q, k) / head_dim**0.5 + alpha, dim=-1)
        y = torch.einsum("ihj,jhd->ihd", p, v)
        if block.real.value_encoding is not None:
            n_radial = block.real.value_encoding.shape[-1]
            centers = 14.0 / n_radial * torch.arange(1, n_radial + 1, dtype=distance.dtype)
            basis = torch.exp(-((distance[..., None] - centers) ** 2) / (2 * (14.0 / n_radial) ** 2))
            average = torch.einsum("ihjn,ijnk->ihjk", torch.softmax(phi, dim=-1), basis)
            y = y + torch.einsum("ihj,ihjk,hdk->ihd", p, average, block.real.value_encoding)
        out: Tensor = block.output(y.flatten(1))
        return out
