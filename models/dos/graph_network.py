"""The graph network that embeds atoms in the published DOSTransformer."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.dos.atomic_masses import atomic_masses
from models.graph.batch import CrystalBatch, CrystalFeatures, GraphEncoder, site_features
from models.graph.elements import element_descriptors
from models.graph.radial import GaussianBasis, edge_length
from models.layers import recomputed, row_parts, segment_sum

N_NEAREST = 12
ELECTRON_CUTOFF = 8.0  # Å, of the Gaussians
N_GAUSSIANS = 41
PHONON_CUTOFF = 4.0  # Å
_EDGES_PER_PART = 1024


class EdgePart(NamedTuple):
    """Some of the edges of a batch, few enough that what a layer makes of them fits into the cache of a processor.

    Attributes:
        features: (n, d).
        source: (n,) int64 node i.
        target: (n,) int64 node j.
    """

    features: Tensor
    source: Tensor
    target: Tensor


class GraphLayer(nn.Module):
    r"""Update edges from their two atoms, and atoms from the edges that point to them.

    $$ e'_{ij} = \mathrm{MLP}_e([x_i, x_j, e_{ij}]), \qquad m_j = \sum_i e'_{ij} \text{ or their mean}, \qquad
       x_j \leftarrow x_j + \mathrm{MLP}_v([x_j, m_j]), \qquad e_{ij} \leftarrow e_{ij} + e'_{ij} $$

    The first map of $\mathrm{MLP}_e$ acts on atoms once, not once per edge. The edges that leave the last layer are
    read by nobody, so there its second map acts on the sum over edges.

    Args:
        dim: d.
        mean: the mean of the edges in place of their sum.
        last: whether no layer follows.
    """

    def __init__(self, dim: int, mean: bool, last: bool) -> None:
        super().__init__()
        self.dim = dim
        self.mean = mean
        self.last = last
        self.edge_expand = nn.Linear(3 * dim, 2 * dim)
        self.edge_norm = nn.LayerNorm(2 * dim)
        self.edge_activation = nn.PReLU()
        self.edge_contract = nn.Linear(2 * dim, dim)
        self.node_mlp = nn.Sequential(
            nn.Linear(2 * dim, 2 * dim), nn.LayerNorm(2 * dim), nn.PReLU(), nn.Linear(2 * dim, dim)
        )

    def forward(self, nodes: Tensor, edges: Sequence[EdgePart]) -> tuple[Tensor, list[EdgePart]]:
        """Return the new atoms (n_nodes, d) and edges; the last layer returns the edges as they were.

        Args:
            nodes: (n_nodes, d).
            edges: in parts, each with features (n, d).
        """
        of_source, of_target, _ = self.edge_expand.weight.split(self.dim, dim=1)
        projected = (F.linear(nodes, of_source, self.edge_expand.bias), F.linear(nodes, of_target))
        # summed part by part: what a part gives is as large as all nodes, so that a list would grow with n_nodes²
        sums, changed = nodes.new_zeros(()), []
        for part in edges:
            if self.last:
                sums = sums + recomputed(self._sum, *projected, *part)
            else:
                change = recomputed(self._change, *projected, *part)
                sums = sums + segment_sum(change, part.target, len(nodes))
                changed.append(part._replace(features=part.features + change))
        n_incoming = torch.bincount(torch.cat([part.target for part in edges]), minlength=len(nodes))[:, None]
        messages = sums
        if self.last:
            messages = F.linear(sums, self.edge_contract.weight) + n_incoming * self.edge_contract.bias
        if self.mean:
            messages = messages / n_incoming.clamp_min(1)
        return nodes + self.node_mlp(torch.cat([nodes, messages], dim=1)), changed or list(edges)

    def _expand(
        self, from_source: Tensor, from_target: Tensor, edges: Tensor, source: Tensor, target: Tensor
    ) -> Tensor:
        """Return the inside of the edges' MLP, (n, 2 d), from atoms (n_nodes, 2 d) that have been through its map."""
        of_edge = self.edge_expand.weight[:, 2 * self.dim :]
        joined = from_source.index_select(0, source) + from_target.index_select(0, target) + F.linear(edges, of_edge)
        expanded: Tensor = self.edge_activation(self.edge_norm(joined))
        return expanded

    def _change(self, *inputs: Tensor) -> Tensor:
        """Return e' of some edges, (n, d)."""
        change: Tensor = self.edge_contract(self._expand(*inputs))
        return change

    def _sum(self, *inputs: Tensor) -> Tensor:
        """Return the inside of the MLP summed over those of some edges that point to each node, (n_nodes, 2 d)."""
        from_source, target = inputs[0], inputs[-1]
        return segment_sum(self._expand(*inputs), target, len(from_source))


class PublishedGraphNetwork(GraphEncoder):
    r"""Graph network of the published DOSTransformer; its features are not invariant as `GraphEncoder` promises.

    Lee et al. 2023 (see `DosTransformer`), published code. Electrons: edges to the 12 nearest neighbours, 41 Gaussians
    of their length up to 8 Å, messages are summed, and each crystal has one more node without features and edges.
    Phonons: edges to all neighbours within 4 Å and from each atom to itself, features
    $c(r / r_c)\,[1, \sqrt3\, \hat r_x, \sqrt3\, \hat r_y, \sqrt3\, \hat r_z]$ that turn with the crystal, and mean
    messages. The crystal vector is a sum in both.

    Different from it: an atom with fewer than 12 neighbours has fewer edges, where the published code adds edges
    from it to the first atom of the crystal. Edges are taken from the batch, whose graphs must reach far enough.

    Args:
        dim: d.
        n_layers: graph layers, at least 1.
        element_features: (119, f), row Z is element Z.
        directional: phonon edges and mean messages in place of electron edges and sums.
    """

    element_features: Tensor

    def __init__(self, dim: int, n_layers: int, element_features: Tensor, directional: bool) -> None:
        super().__init__()
        self.dim = dim
        self.directional = directional
        self.register_buffer("element_features", element_features)
        self.gaussians = GaussianBasis(N_GAUSSIANS, ELECTRON_CUTOFF)
        self.node_encoder = _encoder(element_features.shape[1], dim)
        self.edge_encoder = _encoder(4 if directional else N_GAUSSIANS, dim)
        self.layers = nn.ModuleList(
            GraphLayer(dim, mean=directional, last=index == n_layers - 1) for index in range(n_layers)
        )

    @classmethod
    def of_kind(
        cls, kind: str, dim: int, n_layers: int, element_features: Tensor | None = None
    ) -> "PublishedGraphNetwork":
        """Return the network of "phonon" or "electron" spectra.

        The elements are described by their mass at the place of the element (phonons) or by `element_descriptors`
        (electrons; the published code reads a table of learned features from a file), unless features are given.

        Raises:
            ValueError: unknown kind.
        """
        if kind not in ("phonon", "electron"):
            raise ValueError(f"kind is {kind!r}, expected 'phonon' or 'electron'")
        if element_features is None:
            element_features = atomic_masses().diag()[:, 1:] if kind == "phonon" else element_descriptors()
        return cls(dim, n_layers, element_features, directional=kind == "phonon")

    def forward(self, crystals: CrystalBatch) -> CrystalFeatures:
        """Encode a batch; for electrons, `nodes` and `batch` hold the extra node behind the atoms of each crystal."""
        features, batch, source, target, edge_features = self.graph(crystals)
        nodes = self.node_encoder(features)
        edges = [
            EdgePart(recomputed(self.edge_encoder, part), *ends)
            for part, *ends in row_parts(edge_features, source, target, rows_per_part=_EDGES_PER_PART)
        ]
        for layer in self.layers:
            nodes, edges = layer(nodes, edges)
        return CrystalFeatures(nodes, segment_sum(nodes, batch, crystals.n_crystals), batch)

    def graph(self, crystals: CrystalBatch) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return the published graph of a batch.

        Returns:
            features (n_nodes, f) and crystal (n_nodes,) of each node; source (n_edges,), target (n_edges,) and
            features (n_edges, 4 or 41) of each edge.
        """
        features, batch = site_features(self.element_features, crystals).to(crystals.lattice.dtype), crystals.batch
        if self.directional:
            return features, batch, *self._directed(crystals)
        source, target, edge_features = self._nearest(crystals)
        place = torch.arange(len(batch), device=batch.device) + batch  # of each atom, an extra node per crystal
        features, batch = _with_extra_nodes(features, batch, place, crystals.n_crystals)
        return features, batch, place[source], place[target], edge_features

    def _nearest(self, crystals: CrystalBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Source, target and Gaussians (n_edges, 41) of the 12 shortest edges of each atom."""
        length = edge_length(crystals.edge_vector())
        order = length.argsort(stable=True)
        order = order[crystals.edge_source[order].argsort(stable=True)]  # by source, then by length
        source = crystals.edge_source[order]
        first = torch.bincount(source, minlength=len(crystals.batch)).cumsum(0).roll(1)
        first[:1] = 0
        kept = order[torch.arange(len(order), device=order.device) - first[source] < N_NEAREST]
        return crystals.edge_source[kept], crystals.edge_target[kept], self.gaussians(length[kept])

    def _directed(self, crystals: CrystalBatch) -> tuple[Tensor, Tensor, Tensor]:
        r"""Source, target and directional features (n_edges, 4) of the edges within 4 Å and of each atom to itself.

        $$ c(t) = 1 \text{ for } t < \tfrac12, \quad \tfrac12 \left[ 1 - \cos 2\pi(t - 1) \right]
           \text{ for } \tfrac12 \le t \le 1 $$
        """
        vector = crystals.edge_vector()
        length = edge_length(vector)
        kept = length <= PHONON_CUTOFF
        t = (length[kept] / PHONON_CUTOFF).clamp_min(0.5)[:, None]
        direction = math.sqrt(3) * vector[kept] / length[kept, None]
        envelope = 0.5 * (1 - torch.cos(2 * math.pi * (t - 1)))
        features = envelope * torch.cat([torch.ones_like(t), direction], dim=1)
        atoms = torch.arange(len(crystals.batch), device=vector.device)
        to_itself = features.new_tensor([1.0, 0.0, 0.0, 0.0]).expand(len(atoms), 4)
        return (
            torch.cat([crystals.edge_source[kept], atoms]),
            torch.cat([crystals.edge_target[kept], atoms]),
            torch.cat([features, to_itself]),
        )


def _with_extra_nodes(features: Tensor, batch: Tensor, place: Tensor, n_crystals: int) -> tuple[Tensor, Tensor]:
    """Put a node of zeros behind the atoms of each crystal; return features and crystal of all nodes."""
    extended = features.new_zeros(len(features) + n_crystals, features.shape[1]).index_copy(0, place, features)
    counts = torch.bincount(batch, minlength=n_crystals) + 1
    return extended, torch.arange(n_crystals, device=batch.device).repeat_interleave(counts)


def _encoder(in_dim: int, dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(in_dim, dim), nn.PReLU(), nn.Linear(dim, dim))
