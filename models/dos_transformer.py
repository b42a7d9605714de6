"""DOSTransformer: spectra from crystals by attention between energies and atoms."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.crystal_systems import CRYSTAL_SYSTEMS
from models.graph.batch import CrystalBatch, GraphEncoder
from models.layers import TransformerBlock, to_dense


@dataclass(frozen=True)
class DosPrediction:
    """Spectra of B crystals in units of their maximum, not negative.

    Attributes:
        global_spectrum: (B, n_bins) from the branch that knows nothing of the crystal system.
        system_spectrum: (B, n_bins) from the branch prompted with it; the one to score.
    """

    global_spectrum: Tensor
    system_spectrum: Tensor


class EnergyTokens(nn.Module):
    r"""One learned vector per bin plus a smooth function of where the bin lies.

    $$ E_m = T_m + W\, [\sin(\pi k\, \epsilon_m), \cos(\pi k\, \epsilon_m)]_{k = 1 \dots K}, \qquad
       \epsilon_m = \frac{m}{M - 1} \in [0, 1] $$

    The table alone, as in the paper, does not tell that neighbouring bins are neighbours.

    Args:
        n_bins: M.
        dim: d.
        n_frequencies: K.
    """

    waves: Tensor

    def __init__(self, n_bins: int, dim: int, n_frequencies: int = 16) -> None:
        super().__init__()
        self.table = nn.Parameter(0.02 * torch.randn(n_bins, dim))
        phase = math.pi * torch.linspace(0, 1, n_bins)[:, None] * torch.arange(1, n_frequencies + 1)
        self.register_buffer("waves", torch.cat([phase.sin(), phase.cos()], 1), persistent=False)
        self.wave_map = nn.Linear(2 * n_frequencies, dim)

    def forward(self) -> Tensor:
        """Return the tokens (n_bins, d)."""
        return self.table + self.wave_map(self.waves)


class DosTransformer(nn.Module):
    r"""Energy tokens gather from atoms, from each other, and from atoms again.

    With energy tokens $E$, atoms $X$, crystal vector $g$ and prompt $P_c$ of the crystal system $c$

    $$ A = T_1(E; X), \quad H = \phi(A, g) \text{ or } \phi_c(A, g, P_c), \quad
       H \leftarrow T_2(H; H), \quad H \leftarrow T_3(H; X), \quad y = \mathrm{softplus}(w \cdot H + b) $$

    Lee, Noh, Kim, Na, Park, *Density of States Prediction of Crystalline Materials via Prompt-guided Multi-Modal
    Transformer*, NeurIPS 2023, arXiv:2311.12856. Different from the published code: padded atoms are masked, so a
    prediction does not depend on what else is in the batch; attention has projections and heads; the crystal vector is
    a mean, so a supercell has the spectrum of its primitive cell; energies are on an axis (`EnergyTokens`); no
    DFT energies are needed as inputs; spectra are not negative.

    Args:
        graph_encoder: crystals to features.
        n_bins: M, bins of the spectrum.
        dim: d, features of a token.
        n_layers: blocks in each of T1, T2, T3.
        n_heads: attention heads.
        dropout: probability inside the blocks.
    """

    def __init__(
        self,
        graph_encoder: GraphEncoder,
        n_bins: int,
        dim: int,
        n_layers: int,
        n_heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.graph_encoder = graph_encoder
        self.atom_map = nn.Linear(graph_encoder.dim, dim)
        self.crystal_map = nn.Linear(graph_encoder.dim, dim)
        self.energies = EnergyTokens(n_bins, dim)
        self.prompts = nn.Embedding(len(CRYSTAL_SYSTEMS), dim // 2)

        def stack(cross: bool) -> nn.ModuleList:
            blocks = (TransformerBlock(dim, n_heads, dropout, cross) for _ in range(n_layers))
            return nn.ModuleList(blocks)

        self.gather = stack(cross=True)  # T1
        self.mix = stack(cross=False)  # T2
        self.refine = stack(cross=True)  # T3
        self.fuse_global = nn.Linear(2 * dim, dim)
        self.fuse_system = nn.Linear(2 * dim + dim // 2, dim)
        self.output = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 1))

    def forward(self, crystals: CrystalBatch, crystal_system: Tensor) -> DosPrediction:
        """Predict the spectra of B crystals.

        Args:
            crystals: B crystals.
            crystal_system: (B,) int64 index into `CRYSTAL_SYSTEMS`.
        """
        features = self.graph_encoder(crystals)
        nodes = self.atom_map(features.nodes)
        atoms, mask = to_dense(nodes, features.batch, crystals.n_crystals)  # (B, N, d), (B, N)
        states = self._fuse(self._gather(atoms, mask), features.pooled, crystal_system)
        # the two branches share T2 and T3 and run as one batch of 2B
        atoms, mask = atoms.repeat(2, 1, 1), mask.repeat(2, 1)
        for block in self.mix:
            states = block(states)
        for block in self.refine:
            states = block(states, keys=atoms, key_mask=mask)
        spectra = F.softplus(self.output(states).squeeze(-1))  # (2B, n_bins)
        global_spectrum, system_spectrum = spectra.chunk(2)
        return DosPrediction(global_spectrum, system_spectrum)

    def _gather(self, atoms: Tensor, mask: Tensor) -> Tensor:
        """Energy tokens that have seen the atoms, (B, n_bins, d)."""
        states = self.energies().expand(len(atoms), -1, -1)
        for block in self.gather:
            states = block(states, keys=atoms, key_mask=mask)
        return states

    def _fuse(self, states: Tensor, pooled: Tensor, crystal_system: Tensor) -> Tensor:
        """Join crystal vector and prompt to the tokens: global branch, then system branch, (2B, n_bins, d)."""
        crystal = self.crystal_map(pooled)[:, None].expand_as(states)
        known = torch.cat([states, crystal], dim=-1)
        prompt = self.prompts(crystal_system)[:, None].expand(-1, states.shape[1], -1)
        fused_global = self.fuse_global(known)
        fused_system = self.fuse_system(torch.cat([known, prompt], dim=-1))
        return F.leaky_relu(torch.cat([fused_global, fused_system]))


def dos_loss(prediction: DosPrediction, target: Tensor, beta: float) -> Tensor:
    r"""Loss of both branches, a scalar.

    $$ \mathcal L = \frac1B \sum_i \mathrm{RMSE}_i(\text{global})
                  + \frac{\beta}{B} \sum_i \mathrm{RMSE}_i(\text{system}), \qquad
       \mathrm{RMSE}_i = \Big[ \tfrac1M \sum_m (y_{im} - \hat y_{im})^2 \Big]^{1/2} $$

    Lee et al. 2023 (see `DosTransformer`), the per-crystal form its electron training uses; its phonon code takes the
    root over the whole batch, which is the same at its batch size of 1. A perfect spectrum has zero gradient.

    Args:
        prediction: of B crystals.
        target: (B, n_bins) in units of the maximum.
        beta: weight of the system branch.
    """
    return _mean_rmse(prediction.global_spectrum, target) + beta * _mean_rmse(prediction.system_spectrum, target)


def _mean_rmse(predicted: Tensor, target: Tensor) -> Tensor:
    # the gradient of a norm at zero is zero in torch, that of sqrt is infinite
    norm = torch.linalg.vector_norm(predicted - target, dim=1)  # (B,)
    return norm.mean() / math.sqrt(target.shape[1])
