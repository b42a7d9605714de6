"""DOSTransformer: spectra from crystals by attention between energies and atoms."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.crystal_systems import CRYSTAL_SYSTEMS
from models.dos.attention import AttentionStack
from models.dos.graph_network import PublishedGraphNetwork
from models.dos.published import published_shape, published_state
from models.dos.tokens import EnergyTokens
from models.graph.batch import CrystalBatch, GraphEncoder
from models.layers import to_dense


@dataclass(frozen=True)
class DosPrediction:
    """Spectra of B crystals, normalised as those the model was trained on.

    Attributes:
        global_spectrum: (B, n_bins) from the branch that knows nothing of the crystal system.
        system_spectrum: (B, n_bins) from the branch prompted with it; the one to score.
    """

    global_spectrum: Tensor
    system_spectrum: Tensor


@dataclass(frozen=True)
class EncodedCrystals:
    """What attention needs of B crystals.

    Attributes:
        atoms: (B, n_max, d) one row per atom, padded with zeros.
        mask: (B, n_max) True at atoms; None where padding is attended to, as published.
        crystal: (B, d) crystal vector g.
    """

    atoms: Tensor
    mask: Tensor | None
    crystal: Tensor

    def twice(self) -> "EncodedCrystals":
        """Return the crystals for a batch of both branches, 2B rows."""
        mask = None if self.mask is None else self.mask.repeat(2, 1)
        return EncodedCrystals(self.atoms.repeat(2, 1, 1), mask, self.crystal.repeat(2, 1))


class DosTransformer(nn.Module):
    r"""Energy tokens gather from atoms, from each other, and from atoms again.

    With energy tokens $E$, atoms $X$, crystal vector $g$ and prompt $P_c$ of the crystal system $c$

    $$ A = T_1(E; X), \quad H = \phi(A, g) \text{ or } \phi_c(A, g, P_c), \quad
       H \leftarrow T_2(H; H), \quad H \leftarrow T_3(H; X), \quad y = \mathrm{softplus}(w \cdot H + b) $$

    Lee, Noh, Kim, Na, Park, *Density of States Prediction of Crystalline Materials via Prompt-guided Multi-Modal
    Transformer*, NeurIPS 2023, arXiv:2311.12856. Different from the published code: padded atoms are masked, so a
    prediction does not depend on what else is in the batch; attention has projections and heads; the crystal vector is
    a mean, so a supercell has the spectrum of its primitive cell; energies are on an axis (`EnergyTokens`); no
    DFT energies are needed as inputs; spectra are not negative; any graph encoder embeds the atoms, and those here are
    invariant to rotation. `published` and `from_published` give the model as it was.

    Args:
        graph_encoder: crystals to features.
        n_bins: M, bins of the spectrum.
        dim: d, features of a token.
        n_layers: blocks in each of T1, T2, T3.
        n_heads: attention heads.
        dropout: probability inside the blocks.
        attention: "projected" or "plain", see `AttentionStack`.
        energies: "both", "table" or "waves", see `EnergyTokens`.
        n_global_inputs: numbers per crystal that the model reads beside the structure; the published electron model
            reads two DFT energies.
        mask_padding: False lets energies attend to the padding of the batch, as published.
        non_negative: False leaves out the softplus, as published.
    """

    def __init__(
        self,
        graph_encoder: GraphEncoder,
        n_bins: int,
        dim: int,
        n_layers: int,
        n_heads: int,
        dropout: float,
        attention: str = "projected",
        energies: str = "both",
        n_global_inputs: int = 0,
        mask_padding: bool = True,
        non_negative: bool = True,
    ) -> None:
        super().__init__()
        self.mask_padding = mask_padding
        self.non_negative = non_negative
        self.graph_encoder = graph_encoder
        self.atom_map = nn.Identity() if graph_encoder.dim == dim else nn.Linear(graph_encoder.dim, dim)
        self.global_encoder = (
            nn.Sequential(nn.Linear(n_global_inputs, dim), nn.PReLU(), nn.Linear(dim, dim)) if n_global_inputs else None
        )
        self.crystal_map = nn.Linear(graph_encoder.dim + (dim if n_global_inputs else 0), dim)
        self.energies = EnergyTokens(n_bins, dim, energies)
        self.prompts = nn.Embedding(len(CRYSTAL_SYSTEMS), dim // 2)
        self.gather = AttentionStack(dim, n_layers, attention, n_heads, dropout, cross=True)  # T1
        self.mix = AttentionStack(dim, n_layers, attention, n_heads, dropout, cross=False)  # T2
        self.refine = AttentionStack(dim, n_layers, attention, n_heads, dropout, cross=True)  # T3
        self.fuse_global = nn.Linear(2 * dim, dim)
        self.fuse_system = nn.Linear(2 * dim + dim // 2, dim)
        self.output = nn.Linear(dim, 1)

    @classmethod
    def published(
        cls,
        kind: str,
        n_bins: int,
        dim: int,
        n_graph_layers: int,
        n_layers: int,
        dropout: float = 0.0,
        n_global_inputs: int = 0,
        element_features: Tensor | None = None,
    ) -> "DosTransformer":
        """Return the model as Lee et al. published it, untrained.

        It depends on the rest of the batch and on the choice of cell, for phonons also on the orientation.

        Args:
            kind: "phonon" or "electron", which differ in the graph network, see `PublishedGraphNetwork`.
            n_bins: M.
            dim: d, of graph network and tokens; 256 in the paper.
            n_graph_layers: layers of the graph network; 3 in the paper.
            n_layers: blocks in each of T1, T2, T3; 2 in the paper.
            dropout: probability that training drops an attention weight.
            n_global_inputs: see the class; 2 for electrons in the paper, 0 for phonons.
            element_features: (119, f) features of the elements; None: those of `PublishedGraphNetwork.of_kind`.
        """
        graph_network = PublishedGraphNetwork.of_kind(kind, dim, n_graph_layers, element_features)
        return cls(
            graph_network,
            n_bins,
            dim,
            n_layers,
            n_heads=1,
            dropout=dropout,
            attention="plain",
            energies="table",
            n_global_inputs=n_global_inputs,
            mask_padding=False,
            non_negative=False,
        )

    @classmethod
    def from_published(
        cls, state_dict: Mapping[str, Tensor], kind: str, element_features: Tensor | None = None
    ) -> "DosTransformer":
        """Return a model with published weights, in their precision; what they never used is dropped.

        Args:
            state_dict: of the published model; the sizes are read off it.
            kind: "phonon" or "electron".
            element_features: (119, f) what the weights were trained with where it is not what
                `PublishedGraphNetwork.of_kind` takes; for electrons a table of 200 features beside the published code.

        Raises:
            ValueError: a tensor is missing, unknown or of another size.
        """
        shape, state = published_shape(state_dict), published_state(state_dict)
        model = cls.published(
            kind,
            shape.n_bins,
            shape.dim,
            shape.n_graph_layers,
            shape.n_layers,
            n_global_inputs=shape.n_global_inputs,
            element_features=element_features,
        ).to(state["output.weight"].dtype)
        state["graph_encoder.element_features"] = model.graph_encoder.get_buffer("element_features")
        try:
            model.load_state_dict(state)
        except RuntimeError as error:
            raise ValueError(f"the published weights do not fit: {' '.join(str(error).split())}") from None
        return model.eval()

    def forward(
        self,
        crystals: CrystalBatch,
        crystal_system: Tensor,
        global_inputs: Tensor | None = None,
        positions: Tensor | None = None,
    ) -> DosPrediction:
        """Predict the spectra of B crystals.

        Args:
            crystals: B crystals.
            crystal_system: (B,) int64 index into `CRYSTAL_SYSTEMS`.
            global_inputs: (B, n_global_inputs) for a model that has some.
            positions: (n,) bins of another grid, see `EnergyTokens`; None: the M bins of the model's own.
        """
        encoded = self.encode(crystals, global_inputs)
        gathered = self.gathered(encoded, positions)
        states = torch.cat([self.fused(gathered, encoded), self.fused(gathered, encoded, crystal_system)])
        # the two branches share T2 and T3 and run as one batch of 2B
        global_spectrum, system_spectrum = self.spectra(states, encoded.twice()).chunk(2)
        return DosPrediction(global_spectrum, system_spectrum)

    def predict(
        self,
        crystals: CrystalBatch,
        crystal_system: Tensor,
        global_inputs: Tensor | None = None,
        positions: Tensor | None = None,
    ) -> Tensor:
        """Return the spectra of the prompted branch alone, (B, n_bins), at little over half the cost of `forward`."""
        encoded = self.encode(crystals, global_inputs)
        return self.spectra(self.fused(self.gathered(encoded, positions), encoded, crystal_system), encoded)

    def encode(self, crystals: CrystalBatch, global_inputs: Tensor | None = None) -> EncodedCrystals:
        """Return atoms and crystal vectors.

        Raises:
            ValueError: the model has global inputs and none are given.
        """
        features = self.graph_encoder(crystals)
        pooled = features.pooled
        if self.global_encoder is not None:
            if global_inputs is None:
                raise ValueError("this model reads numbers beside the structure; give global_inputs")
            pooled = torch.cat([self.global_encoder(global_inputs), pooled], dim=1)
        atoms, mask = to_dense(self.atom_map(features.nodes), features.batch, crystals.n_crystals)
        return EncodedCrystals(atoms, mask if self.mask_padding else None, self.crystal_map(pooled))

    def gathered(self, encoded: EncodedCrystals, positions: Tensor | None = None) -> Tensor:
        """Return A, energy tokens that have seen the atoms, (B, n_bins, d)."""
        tokens = self.energies(positions).expand(len(encoded.atoms), -1, -1)
        states: Tensor = self.gather(tokens, encoded.atoms, encoded.mask)
        return states

    def fused(self, gathered: Tensor, encoded: EncodedCrystals, crystal_system: Tensor | None = None) -> Tensor:
        """Return H, tokens that know the crystal vector and, where it is given, the crystal system, (B, n_bins, d)."""
        fuse, known = self.fuse_global, encoded.crystal
        if crystal_system is not None:
            fuse, known = self.fuse_system, torch.cat([known, self.prompts(crystal_system)], dim=1)
        # one product per token and one per crystal instead of one on both side by side
        of_token, of_crystal = fuse.weight.split([gathered.shape[-1], known.shape[-1]], dim=1)
        return F.leaky_relu(F.linear(gathered, of_token) + F.linear(known, of_crystal, fuse.bias)[:, None])

    def spectra(self, states: Tensor, encoded: EncodedCrystals) -> Tensor:
        """Return the spectra (B, n_bins) of fused tokens (B, n_bins, d)."""
        states = self.refine(self.mix(states), encoded.atoms, encoded.mask)
        spectra: Tensor = self.output(states).squeeze(-1)
        return F.softplus(spectra) if self.non_negative else spectra
