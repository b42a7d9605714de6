r"""Infinitely connected attention: every atom attends to every atom of the infinite crystal.

Because $\alpha_{ij}$ is a log-sum-exp over lattice translations, the two softmaxes of the paper (over the images of one
neighbour, and over the neighbours) are one softmax over all images of all neighbours. The value encoding is linear in
its radial functions, so $W^E$ acts once per atom on their average instead of once per pair.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from models.dropout import keep_factors
from models.graph.crystalformer.frames import FrameEncoding
from models.graph.crystalformer.lattice_images import ImageBlock


@dataclass
class RealSpace:
    """What attention in real space needs of a batch: blocks of images, and a radial basis (A, M, K) for each block.

    An image farther than `reach` standard deviations of a Gaussian is left out.
    """

    blocks: Sequence[ImageBlock]
    bases: Sequence[Tensor | None]
    reach: float


class GaussianWidth(nn.Module):
    r"""Width of the attention of each atom and head, from its query.

    $$ \rho(u) = (1-b)\,\mathrm{ELU}\!\left(\tfrac{\beta u}{1-b}\right) + 1, \qquad
       u_{ih} = \left( \langle q_{ih}, w_h \rangle + m \right) s, \qquad \beta = 0.1 $$

    Appendix of the paper cited at `Crystalformer`; $\rho \in (b, \infty)$, so a Gaussian of variance $r_0^2/\rho$ is
    never wider than $r_0/\sqrt b$.

    Args:
        dim: features of all heads together.
        n_heads: H.
        lower_bound: b.
    """

    gauss_scale: Tensor

    def __init__(self, dim: int, n_heads: int, lower_bound: float) -> None:
        super().__init__()
        self.lower_bound = lower_bound
        self.weight = nn.Parameter(torch.randn(n_heads, dim // n_heads) * (dim // n_heads) ** -0.5)
        self.register_buffer("gauss_scale", torch.tensor([1.0, 0.0]))  # s and m

    def forward(self, query: Tensor) -> Tensor:
        """Return ρ (n_atoms, H) of queries (n_atoms, H, d_h)."""
        scale, shift = self.gauss_scale
        u = ((query * self.weight).sum(dim=-1) + shift) * scale
        span = 1.0 - self.lower_bound
        return span * F.elu(0.1 / span * u) + 1.0

    @torch.no_grad()
    def calibrate(self, query: Tensor) -> None:
        """Choose s and m so that u has mean 0 and standard deviation 1 over all atoms and heads."""
        projected = (query * self.weight).sum(dim=-1)
        spread = projected.std() if projected.numel() > 1 else projected.new_zeros(())
        scale = 1.0 / spread if spread > 0 else torch.ones_like(spread)
        self.gauss_scale.copy_(torch.stack([scale, -projected.mean()]))


class RealSpaceHeads(nn.Module):
    r"""Attention heads that sum Gaussians over lattice translations in real space.

    $$ y_i = \sum_{j,\mathbf n} p_{ij(\mathbf n)} \left( v_j + \psi_{ij(\mathbf n)} \right), \quad
       p_{ij(\mathbf n)} \propto \exp\!\left( \frac{\langle q_i, k_j \rangle}{\sqrt{d_h}}
           - \frac{\rho_i\, r_{ij(\mathbf n)}^2}{2 r_0^2} \right), \quad \psi = W^E\, b(r) $$

    Args:
        n_heads: H.
        head_dim: d_h.
        scale: r_0 in Å.
        n_radial: K, functions in the value encoding; 0 for none.
        angular: whether the value encoding has an angular part.
        dropout: probability of dropping a neighbour atom from the attention.
    """

    def __init__(self, n_heads: int, head_dim: int, scale: float, n_radial: int, angular: bool, dropout: float) -> None:
        super().__init__()
        self.scale = scale
        self.dropout = dropout
        self.value_encoding = nn.Parameter(torch.empty(n_heads, head_dim, n_radial)) if n_radial else None
        if self.value_encoding is not None:
            bound = math.sqrt(6.0 / (n_heads * head_dim + n_radial)) * n_radial**-0.5
            nn.init.uniform_(self.value_encoding, -bound, bound)
        self.frame_encoding = FrameEncoding(n_heads, head_dim) if angular else None

    def forward(self, query: Tensor, key: Tensor, value: Tensor, rho: Tensor, space: RealSpace) -> Tensor:
        """Return heads (n_atoms, H, d_h) of queries, keys and values (n_atoms, H, d_h) and ρ (n_atoms, H)."""
        exponent = -rho / (2.0 * self.scale**2)  # (n_atoms, H) a = -1 / 2σ²
        heads = [
            self._heads(query, key, value, exponent, block, basis, space.reach)
            for block, basis in zip(space.blocks, space.bases, strict=True)
        ]
        centre = torch.cat([block.centre for block in space.blocks])
        return torch.cat(heads).index_select(0, torch.argsort(centre))

    def _heads(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        exponent: Tensor,
        block: ImageBlock,
        basis: Tensor | None,
        reach: float,
    ) -> Tensor:
        """Heads (A, H, d_h) of the atoms of one block."""
        a = exponent.index_select(0, block.centre)  # (A, H)
        block, basis = _within_reach(block, basis, reach**2 / (-2.0 * a.max()))
        # recomputed in the backward pass: what lies between takes several numbers per image and head in every layer
        inputs = (query, key, value, a, block, basis, reach)
        p, average, heads = checkpoint(self._attend, *inputs, use_reentrant=False)
        if self.value_encoding is not None and average is not None:
            heads = heads + torch.einsum("ahk,hdk->ahd", average, self.value_encoding[..., : average.shape[-1]])
        return heads if self.frame_encoding is None else heads + self.frame_encoding(p, block)

    def _attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        a: Tensor,
        block: ImageBlock,
        basis: Tensor | None,
        reach: float,
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        """Attention p on images (A, H, M), Σ p b (A, H, functions that matter) and Σ p v (A, H, d_h) of a block."""
        n_heads, head_dim = query.shape[1:]
        # embedding: a gather whose backward pass is fast on a CPU and has one order of summation on a GPU
        k, v = (F.embedding(block.neighbor, table.flatten(1)) for table in (key, value))  # (A, P, H·d_h)
        own = torch.eye(n_heads, dtype=k.dtype, device=k.device).repeat_interleave(head_dim, dim=1)  # (H, H·d_h)
        q = query.flatten(1).index_select(0, block.centre)[:, None] * (own * head_dim**-0.5)  # (A, H, H·d_h)
        # one product over all heads with zeros beside the own features: more sums, but no array per head and pair
        content = torch.bmm(q, k.transpose(1, 2))  # (A, H, P)
        p, weight = self._weights(content, a, block, reach)
        heads = torch.bmm(weight, v).unflatten(2, (n_heads, head_dim)).diagonal(dim1=1, dim2=2).transpose(1, 2)
        return p, None if basis is None else torch.bmm(p, basis), heads  # what comes last is not computed again

    def _weights(self, content: Tensor, a: Tensor, block: ImageBlock, reach: float) -> tuple[Tensor, Tensor]:
        """Attention on images (A, H, M) and, those of an atom together, on neighbours (A, H, P).

        `content` (A, H, P) is ⟨q, k⟩ / sqrt(d_h) and `a` (A, H) is -1 / 2σ² in Å⁻².
        """
        slot = block.slot[:, None].expand(-1, content.shape[1], -1)  # (A, H, M)
        phi = a[..., None] * block.squared_distance[:, None]  # (A, H, M)
        logits = torch.where(phi >= -0.5 * reach**2, phi + content.gather(2, slot), -torch.inf)
        p = logits.softmax(dim=-1)
        weight = p.new_zeros(content.shape).scatter_add(2, slot, p)
        if self.dropout and self.training:
            kept = keep_factors(weight, self.dropout)
            weight, p = weight * kept, p * kept.gather(2, slot)
        return p, weight


def _within_reach(block: ImageBlock, basis: Tensor | None, squared_reach: Tensor) -> tuple[ImageBlock, Tensor | None]:
    """Cut off the columns of a block in which every image is out of reach (Å²)."""
    n_images = int((block.squared_distance.detach() <= squared_reach.detach()).sum(dim=1).max())
    return block.nearest(n_images), None if basis is None else basis[:, :n_images]
