"""Crystalformer: a transformer whose attention reaches every atom of the infinite crystal."""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.dropout import Dropout
from models.graph.batch import CrystalBatch, CrystalFeatures, GraphEncoder, site_features
from models.graph.crystalformer.infinite_attention import GaussianWidth, RealSpace, RealSpaceHeads
from models.graph.crystalformer.lattice_images import ImageBlock, gaussian_reach, images_within
from models.graph.crystalformer.published import published_shape, published_state
from models.graph.crystalformer.radial_gaussians import radial_gaussians
from models.graph.crystalformer.reciprocal_attention import ReciprocalHeads, ReciprocalSpace, waves_within
from models.graph.elements import N_ELEMENTS
from models.graph.pooling import pooling_function

Domain = Literal["real", "reciprocal", "multihead", "alternating"]
_RECIPROCAL_TOLERANCE = 1e-6  # the lattice sum is cut at the floor under it, whatever `image_tolerance` is
_RADIAL_RANGE = 14.0  # Å, centre of the last function of the value encoding


class CrystalformerBlock(nn.Module):
    r"""Infinitely connected attention and a feed-forward network, each with a residual.

    $$ x \leftarrow x + \mathrm{MHA}(x), \qquad x \leftarrow x + W_2\, \mathrm{ReLU}(W_1 x + b_1) + b_2 $$

    Without normalisation the weights start as in T-Fixup (Huang et al., *Improving Transformer Optimization Through
    Better Initialization*, ICML 2020): values, output and feed-forward scaled by $0.67\,L^{-1/4}$ for $L$ blocks. With
    post-normalisation a LayerNorm follows each sum.

    Args:
        dim: d.
        feed_forward_dim: hidden features of the feed-forward network.
        n_blocks: L of the whole encoder.
        width: from queries to ρ of all heads; the heads in real space come first.
        real: heads in real space, or None.
        n_real_heads: how many of the heads they are.
        reciprocal: heads in reciprocal space, or None.
        normalization: "none" or "post".
        dropout: probability, on both branches and inside the feed-forward network.
    """

    def __init__(
        self,
        dim: int,
        feed_forward_dim: int,
        n_blocks: int,
        width: GaussianWidth,
        real: RealSpaceHeads | None,
        n_real_heads: int,
        reciprocal: ReciprocalHeads | None,
        normalization: Literal["none", "post"],
        dropout: float,
    ) -> None:
        super().__init__()
        self.width, self.real, self.reciprocal, self.n_real_heads = width, real, reciprocal, n_real_heads
        self.query_key_value = nn.Linear(dim, 3 * dim)
        self.output = nn.Linear(dim, dim)
        self.expand = nn.Linear(dim, feed_forward_dim)
        self.contract = nn.Linear(feed_forward_dim, dim)
        normalized = normalization == "post"
        self.attention_norm: nn.Module = nn.LayerNorm(dim) if normalized else nn.Identity()
        self.feed_forward_norm: nn.Module = nn.LayerNorm(dim) if normalized else nn.Identity()
        self.dropout = Dropout(dropout)
        self._initialize(1.0 if normalized else 0.67 * n_blocks**-0.25)

    def forward(self, x: Tensor, real: RealSpace | None, reciprocal: ReciprocalSpace | None) -> Tensor:
        """Return the new states (n_atoms, d)."""
        x = self.attention_norm(x + self.dropout(self.attention(x, real, reciprocal)))
        hidden = self.dropout(F.relu(self.expand(x)))
        return self.feed_forward_norm(x + self.dropout(self.contract(hidden)))

    def attention(self, x: Tensor, real: RealSpace | None, reciprocal: ReciprocalSpace | None) -> Tensor:
        """Return the output (n_atoms, d) of the attention, before the residual."""
        q, k, v = self._heads(x)
        rho, n = self.width(q), self.n_real_heads
        heads = []
        if self.real is not None and real is not None:
            heads.append(self.real(q[:, :n], k[:, :n], v[:, :n], rho[:, :n], real))
        if self.reciprocal is not None and reciprocal is not None:
            heads.append(self.reciprocal(q[:, n:], k[:, n:], v[:, n:], rho[:, n:], reciprocal))
        return self.output(torch.cat(heads, dim=1).flatten(1))

    def calibrate(self, x: Tensor) -> None:
        """Standardise the widths on states (n_atoms, d) of training crystals."""
        self.width.calibrate(self._heads(x)[0])

    def _heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, (n_atoms, H, d_h) each."""
        n_heads = len(self.width.weight)
        q, k, v = (part.unflatten(1, (n_heads, -1)) for part in self.query_key_value(x).chunk(3, dim=1))
        return q, k, v

    def _initialize(self, gain: float) -> None:
        for linear in (self.query_key_value, self.output, self.expand, self.contract):
            nn.init.zeros_(linear.bias)
        for weight, factor in zip(self.query_key_value.weight.chunk(3), (1.0, 1.0, gain), strict=True):
            nn.init.xavier_uniform_(weight, factor)
        for linear in (self.output, self.expand, self.contract):
            nn.init.xavier_uniform_(linear.weight, gain)


class Crystalformer(GraphEncoder):
    """Infinitely connected attention for crystals.

    Taniai, Igarashi, Suzuki, Chiba, Saito, Ushiku, Ono, *Crystalformer: Infinitely Connected Attention for Periodic
    Structure Encoding*, ICLR 2024, arXiv:2403.11686. The edges of the batch are not used: each atom sees every image
    of every atom within a radius that follows from the widest Gaussian the model can form, whatever the cell.

    Args:
        dim: d, features per atom and per crystal.
        n_blocks: L.
        n_heads: H; must divide `dim`, and be even for "multihead".
        feed_forward_dim: hidden features of the feed-forward networks.
        domain: where the lattice is summed: "real"; "reciprocal"; "multihead", half of the heads each; "alternating",
            every second block reciprocal.
        value_encoding: ψ of heads in real space: "distance"; "angular", with CrystalFramer's directions
            beside the distance; "none" for the simplified model.
        n_radial: K, Gaussians of the value encoding between 0 and 14 Å.
        real_scale: r_0 in Å.
        reciprocal_scale: its counterpart in reciprocal space in Å.
        gauss_lower_bound: b; the widest Gaussian has σ = r_0 / sqrt(b).
        image_tolerance: share of a Gaussian's weight that may lie beyond the farthest image.
        normalization: "none" (T-Fixup) or "post".
        dropout: probability, on attention, both branches and the feed-forward network.
        pooling: "mean" over atoms (intensive) or "sum".

    Raises:
        ValueError: the heads cannot be laid out as asked, or unknown pooling.
    """

    def __init__(
        self,
        dim: int,
        n_blocks: int,
        n_heads: int,
        feed_forward_dim: int,
        domain: Domain = "real",
        value_encoding: Literal["none", "distance", "angular"] = "distance",
        n_radial: int = 64,
        real_scale: float = 1.4,
        reciprocal_scale: float = 2.2,
        gauss_lower_bound: float = 0.5,
        image_tolerance: float = 0.001,
        normalization: Literal["none", "post"] = "none",
        dropout: float = 0.0,
        pooling: str = "mean",
    ) -> None:
        super().__init__()
        if dim % n_heads or (domain == "multihead" and n_heads % 2):
            raise ValueError(f"{n_heads} heads do not divide {dim} features, or cannot be split between two domains")
        self.dim = dim
        self.pool = pooling_function(pooling)
        self.reach = gaussian_reach(image_tolerance)  # in standard deviations
        self.radius = self.reach * real_scale * gauss_lower_bound**-0.5  # Å
        widest_wave = gaussian_reach(_RECIPROCAL_TOLERANCE)
        self.wave_radius = widest_wave / (reciprocal_scale * gauss_lower_bound**0.5)  # Å⁻¹
        self.n_radial = 0 if value_encoding == "none" else n_radial
        self.element_table = nn.Embedding(N_ELEMENTS + 1, dim)
        nn.init.normal_(self.element_table.weight, std=dim**-0.5 * (9 * n_blocks) ** -0.25)
        angular = value_encoding == "angular"
        self.blocks = nn.ModuleList()
        for index in range(n_blocks):
            n_real = _n_real_heads(domain, n_heads, index)
            head_dim = dim // n_heads
            self.blocks.append(
                CrystalformerBlock(
                    dim,
                    feed_forward_dim,
                    n_blocks,
                    GaussianWidth(dim, n_heads, gauss_lower_bound),
                    RealSpaceHeads(n_real, head_dim, real_scale, self.n_radial, angular, dropout) if n_real else None,
                    n_real,
                    ReciprocalHeads(reciprocal_scale, dropout) if n_real < n_heads else None,
                    normalization,
                    dropout,
                )
            )
        self.norm: nn.Module = nn.LayerNorm(dim) if normalization == "post" else nn.Identity()

    @classmethod
    def from_published(
        cls, state_dict: Mapping[str, Tensor], domain: Domain = "real", n_heads: int = 8, image_tolerance: float = 0.001
    ) -> "Crystalformer":
        """Build the encoder with the weights of the published code, in their precision.

        Args:
            state_dict: with the official names; the head (`mlp.*`) is read by `head_from_published`.
            domain: as the weights were trained; they do not tell.
            n_heads: likewise.
            image_tolerance: see the class.

        Raises:
            ValueError: a tensor is missing or has another shape, or the model was never trained.
        """
        shape = published_shape(state_dict)
        encoder = cls(
            dim=shape.dim,
            n_blocks=shape.n_blocks,
            n_heads=n_heads,
            feed_forward_dim=shape.feed_forward_dim,
            domain=domain,
            value_encoding="distance" if shape.n_radial else "none",
            n_radial=shape.n_radial,
            image_tolerance=image_tolerance,
            normalization="post" if shape.normalized else "none",
        )
        state = published_state(state_dict, n_heads, [block.n_real_heads for block in encoder._blocks()])
        encoder.to(state["element_table.weight"].dtype)
        try:
            encoder.load_state_dict(state)
        except RuntimeError as error:
            raise ValueError(f"the published weights do not fit: {error}") from None
        return encoder

    def forward(self, crystals: CrystalBatch) -> CrystalFeatures:
        """Encode a batch."""
        x = site_features(self.element_table.weight, crystals)
        spaces = self._spaces(crystals)
        for block in self._blocks():
            x = block(x, *spaces)
        nodes = self.norm(x)
        return CrystalFeatures(nodes, self.pool(nodes, crystals.batch, crystals.n_crystals), crystals.batch)

    @torch.no_grad()
    def calibrate(self, crystals: CrystalBatch) -> None:
        """Standardise the widths of the attention, block after block, on a batch of training crystals."""
        x = site_features(self.element_table.weight, crystals)
        spaces = self._spaces(crystals)
        for block in self._blocks():
            block.calibrate(x)
            x = block(x, *spaces)

    def images(self, crystals: CrystalBatch) -> list[ImageBlock]:
        """Return the images that attention in real space sums over."""
        return images_within(crystals, self.radius)

    def waves(self, crystals: CrystalBatch) -> ReciprocalSpace:
        """Return the plane waves that attention in reciprocal space sums over."""
        return waves_within(crystals, self.wave_radius)

    def _blocks(self) -> list[CrystalformerBlock]:
        return [block for block in self.blocks if isinstance(block, CrystalformerBlock)]

    def _spaces(self, crystals: CrystalBatch) -> tuple[RealSpace | None, ReciprocalSpace | None]:
        real = reciprocal = None
        with torch.autocast(crystals.lattice.device.type, enabled=False):  # 8 bits are not enough for geometry
            if any(block.real is not None for block in self._blocks()):
                blocks = self.images(crystals)
                real = RealSpace(blocks, [self._radial_basis(block) for block in blocks], self.reach)
            if any(block.reciprocal is not None for block in self._blocks()):
                reciprocal = self.waves(crystals)
        return real, reciprocal

    def _radial_basis(self, block: ImageBlock) -> Tensor | None:
        if not self.n_radial:
            return None
        return radial_gaussians(block.squared_distance, self.n_radial, _RADIAL_RANGE, self.radius)


def _n_real_heads(domain: Domain, n_heads: int, block: int) -> int:
    """Return how many heads of a block sum in real space."""
    if domain == "alternating":
        return n_heads if block % 2 == 0 else 0
    return {"real": n_heads, "reciprocal": 0, "multihead": n_heads // 2}[domain]
