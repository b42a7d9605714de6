"""PaiNN: an equivariant message-passing network on scalars and vectors."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from models.graph.batch import CrystalBatch, CrystalFeatures, GraphEncoder
from models.graph.element_embedding import ElementEmbedding
from models.graph.pooling import pooling_function
from models.graph.radial import BesselBasis, edge_length
from models.layers import MLP, segment_sum

_EDGES_PER_PART = 4096
_MOST_PARTS_KEPT = 4  # 16,384 edges of 96 features and three layers take 190 MB


@dataclass(frozen=True)
class Edges:
    """What the message blocks need of the edges.

    Attributes:
        source: (n_edges,) int64 centre.
        target: (n_edges,) int64 neighbour.
        direction: (n_edges, 3) unit vector from the centre to the neighbour, zero for an edge of no length.
        basis: (n_edges, n_radial + 1), see `BesselBasis`.
    """

    source: Tensor
    target: Tensor
    direction: Tensor
    basis: Tensor

    @classmethod
    def of(cls, crystals: CrystalBatch, radial_basis: BesselBasis) -> "Edges":
        """Measure the edges of a batch."""
        vector = crystals.edge_vector()
        length = edge_length(vector)
        return cls(crystals.edge_source, crystals.edge_target, vector / length[:, None], radial_basis(length))

    def split(self) -> list["Edges"]:
        """Cut the edges into parts small enough for the processor's cache; an accelerator takes them all at once."""
        size = _EDGES_PER_PART if self.basis.is_cpu else max(len(self.basis), 1)
        columns = (self.source, self.target, self.direction, self.basis)
        return [Edges(*part) for part in zip(*(column.split(size) for column in columns), strict=True)]


class MessageBlock(nn.Module):
    r"""Gather scalars and vectors from the neighbours.

    $$ \Delta s_i = \sum_j \phi_s(s_j) \circ W_s(r_{ij}), \qquad
       \Delta \vec v_i = \sum_j \vec v_j \circ \phi_{vv}(s_j) \circ W_{vv}(r_{ij})
                       + \phi_{vs}(s_j) \circ W_{vs}(r_{ij})\, \frac{\vec r_{ij}}{r_{ij}} $$

    Equations 7 and 8 of the paper; the rotationally invariant filters $W$ are linear in the radial basis.
    """

    def __init__(self, dim: int, n_radial: int) -> None:
        super().__init__()
        self.scalar_net = MLP(dim, dim, 3 * dim)
        self.radial_filter = nn.Linear(n_radial + 1, 3 * dim, bias=False)

    def forward(self, scalars: Tensor, vectors: Tensor, parts: Sequence[Edges]) -> tuple[Tensor, Tensor]:
        """Return the changes of scalars (n_atoms, d) and vectors (3, n_atoms, d)."""
        phi_s, phi_vv, phi_vs = self.scalar_net(scalars).chunk(3, dim=-1)  # each (n_atoms, d)
        atoms = (phi_s, phi_vs, vectors * phi_vv)
        scalar_change, vector_change = torch.zeros_like(scalars), torch.zeros_like(vectors)
        for edges in parts:
            if torch.is_grad_enabled() and len(parts) > _MOST_PARTS_KEPT:
                # recomputed in the backward pass, which else needs ten numbers per edge and feature
                changes = checkpoint(self._sum_messages, *atoms, edges, use_reentrant=False)
            else:
                changes = self._sum_messages(*atoms, edges)
            scalar_change, vector_change = scalar_change + changes[0], vector_change + changes[1]
        return scalar_change, vector_change

    def _sum_messages(self, phi_s: Tensor, phi_vs: Tensor, carried: Tensor, edges: Edges) -> tuple[Tensor, Tensor]:
        """Changes from some of the edges; each factor is a contiguous (n_edges, d), which the processor likes best."""
        n_atoms = len(phi_s)
        w_s, w_vv, w_vs = (F.linear(edges.basis, weight) for weight in self.radial_filter.weight.chunk(3))
        scalar_gate = phi_s.index_select(0, edges.target) * w_s
        direction_gate = phi_vs.index_select(0, edges.target) * w_vs
        components = []
        for vector, direction in zip(carried, edges.direction.split(1, dim=1), strict=True):  # x, y, z
            message = torch.addcmul(vector.index_select(0, edges.target) * w_vv, direction_gate, direction)
            components.append(segment_sum(message, edges.source, n_atoms))
        return segment_sum(scalar_gate, edges.source, n_atoms), torch.stack(components)


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
        parts = Edges.of(crystals, self.radial_basis).split()
        for message, update in zip(self.messages, self.updates, strict=True):
            scalar_change, vector_change = message(scalars, vectors, parts)
            scalars, vectors = scalars + scalar_change, vectors + vector_change
            scalar_change, vector_change = update(scalars, vectors)
            scalars, vectors = scalars + scalar_change, vectors + vector_change
        return scalars, vectors.transpose(0, 1)
