"""PaiNN: an equivariant message-passing network on scalars and vectors."""

import torch
from torch import Tensor, nn

from models.graph.batch import CrystalBatch, CrystalFeatures, GraphEncoder
from models.graph.element_embedding import ElementEmbedding
from models.graph.painn.messages import Edges, MessageBlock
from models.graph.pooling import pooling_function
from models.graph.radial import BesselBasis
from models.layers import MLP


class UpdateBlock(nn.Module):
    r"""Let scalars and vectors of one atom act on each other.

    $$ \Delta s_i = a_{ss} + a_{sv} \langle U \vec v_i, V \vec v_i \rangle, \qquad
       \Delta \vec v_i = a_{vv}\, U \vec v_i, \qquad a = a(s_i, \lVert V \vec v_i \rVert) $$

    Equations 9 and 10 of the paper. CLaC's code has $\Delta \vec v_i = a_{vv}\, \vec v_i$ instead.

    Args:
        dim: d.
        mixes_channels: whether U takes part in the change of the vectors, as in the paper; False as in CLaC.
    """

    def __init__(self, dim: int, mixes_channels: bool) -> None:
        super().__init__()
        self.mixes_channels = mixes_channels
        self.vector_maps = nn.Linear(dim, 2 * dim, bias=False)  # U and V
        self.gate_net = MLP(2 * dim, dim, 3 * dim)

    def forward(self, scalars: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Return the changes of scalars (n_atoms, d) and vectors (3, n_atoms, d)."""
        u, v = self.vector_maps(vectors).chunk(2, dim=-1)  # (3, n_atoms, d) each
        norm = (v.square().sum(dim=0) + 1e-12).sqrt()  # finite gradient at zero vectors
        gates = self.gate_net(torch.cat([scalars, norm], dim=-1))
        a_ss, a_sv, a_vv = gates.chunk(3, dim=-1)  # (n_atoms, d) each
        return a_ss + a_sv * (u * v).sum(dim=0), a_vv * (u if self.mixes_channels else vectors)


class PaiNN(GraphEncoder):
    """Polarizable atom interaction neural network, for crystals.

    Schütt, Unke, Gastegger, *Equivariant message passing for the prediction of tensorial properties and molecular
    spectra*, ICML 2021, arXiv:2102.03150. The "clac" variant has the update of the vectors of Park et al.,
    *Contrastive Learning of English Language and Crystal Graphs for Multimodal Representation of Materials Knowledge*,
    arXiv:2502.16451 (see `UpdateBlock`); that work also takes `element_features` "one_hot" and `pooling` "sum".

    Args:
        dim: d, features per atom and per crystal.
        n_interactions: message and update blocks.
        n_radial: radial basis functions.
        cutoff: r_c in Å; edges beyond it carry nothing.
        pooling: "mean" or "sum" over atoms, see `pooling_function`.
        variant: "paper" or "clac".
        element_features: "learned" or "one_hot", see `ElementEmbedding`.

    Raises:
        ValueError: unknown pooling, variant or element_features.
    """

    def __init__(
        self,
        dim: int,
        n_interactions: int,
        n_radial: int,
        cutoff: float,
        pooling: str = "mean",
        variant: str = "paper",
        element_features: str = "learned",
    ) -> None:
        super().__init__()
        if variant not in ("paper", "clac"):
            raise ValueError(f"variant is {variant!r}, expected 'paper' or 'clac'")
        self.dim = dim
        self.pool = pooling_function(pooling)
        self.element_embedding = ElementEmbedding(dim, element_features)
        self.radial_basis = BesselBasis(n_radial, cutoff)
        self.messages = nn.ModuleList(MessageBlock(dim, n_radial) for _ in range(n_interactions))
        mixes_channels = variant == "paper"
        self.updates = nn.ModuleList(UpdateBlock(dim, mixes_channels) for _ in range(n_interactions))
        self.readout = MLP(dim, dim, dim)

    def forward(self, crystals: CrystalBatch) -> CrystalFeatures:
        """Encode a batch; crystals without any edge are described by their elements alone."""
        scalars, _ = self.equivariant_features(crystals)
        nodes = self.readout(scalars)
        pooled = self.pool(nodes, crystals.batch, crystals.n_crystals)
        return CrystalFeatures(nodes, pooled, crystals.batch)

    def equivariant_features(self, crystals: CrystalBatch) -> tuple[Tensor, Tensor]:
        """Return the last scalars (n_atoms, d) and vectors (n_atoms, 3, d), which rotate with the crystal."""
        scalars = self.element_embedding(crystals)
        vectors = scalars.new_zeros(3, len(scalars), self.dim)
        edges = Edges.of(crystals, self.radial_basis)
        for message, update in zip(self.messages, self.updates, strict=True):
            scalar_change, vector_change = message(scalars, vectors, edges)
            scalars, vectors = scalars + scalar_change, vectors + vector_change
            scalar_change, vector_change = update(scalars, vectors)
            scalars, vectors = scalars + scalar_change, vectors + vector_change
        return scalars, vectors.transpose(0, 1)
