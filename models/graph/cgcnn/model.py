"""CGCNN: gated convolutions on the graph of bonds between atoms."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.graph.batch import CrystalBatch, CrystalFeatures, GraphEncoder
from models.graph.element_embedding import ElementEmbedding
from models.graph.pooling import pooling_function
from models.graph.radial import DampedGaussianBasis, GaussianBasis, cosine_cutoff, edge_length
from models.layers import segment_sum


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation that takes its running statistics where a training batch has fewer than two rows.

    A single atom has no variance, and a crystal of isolated atoms has no edge to average over.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalise each of the columns of (n, d)."""
        if len(input) >= 2:
            return super().forward(input)
        return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


@dataclass(frozen=True)
class Bonds:
    """What the convolutions need of the edges.

    Attributes:
        source: (n_edges,) int64 centre i.
        target: (n_edges,) int64 neighbour j.
        basis: (n_edges, n_radial) features u of the bond, functions of its length.
        envelope: (n_edges, 1) weight of the bond, which falls to zero at the cutoff.
    """

    source: Tensor
    target: Tensor
    basis: Tensor
    envelope: Tensor

    @classmethod
    def of(cls, crystals: CrystalBatch, radial_basis: GaussianBasis) -> "Bonds":
        """Measure the edges of a batch."""
        length = edge_length(crystals.edge_vector())
        envelope = cosine_cutoff(length, radial_basis.cutoff)[:, None]
        return cls(crystals.edge_source, crystals.edge_target, radial_basis(length), envelope)


class CrystalGraphConvolution(nn.Module):
    r"""Add what the neighbours say, each through a gate that depends on both atoms and on the bond.

    $$ v_i \leftarrow g\Big( v_i + \mathrm{BN} \sum_{j,k} f_c(r_{(i,j)_k})\;
       \sigma(\mathrm{BN}(z_{(i,j)_k} W_f + b_f)) \odot g(\mathrm{BN}(z_{(i,j)_k} W_s + b_s)) \Big), \qquad
       z_{(i,j)_k} = v_i \oplus v_j \oplus u_{(i,j)_k} $$

    Equation 5 of the paper with the batch normalisations and the outer softplus $g$ of its published code; $k$ counts
    the images of $j$ that are bonded to $i$. $W_f$ and $W_s$ are the two halves of one linear map. Its columns for
    $v_i$ and $v_j$ act once per atom, not once per edge.

    Args:
        dim: d.
        n_radial: bond features.
        normalize_messages: whether to apply the inner BN, as the published code does; PyTorch Geometric's `CGConv`,
            which CLaC uses, leaves it out.
    """

    def __init__(self, dim: int, n_radial: int, normalize_messages: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * dim + n_radial, 2 * dim)
        self.message_norm = BatchNorm(2 * dim) if normalize_messages else nn.Identity()
        self.sum_norm = BatchNorm(dim)

    def forward(self, atoms: Tensor, bonds: Bonds) -> Tensor:
        """Return the new atom features (n_atoms, d)."""
        n_atoms, dim = atoms.shape
        centre, neighbor, bond = self.linear.weight.split([dim, dim, bonds.basis.shape[1]], dim=1)
        z = F.linear(atoms, centre, self.linear.bias).index_select(0, bonds.source)  # (n_edges, 2 d)
        z = z + F.linear(atoms, neighbor).index_select(0, bonds.target) + F.linear(bonds.basis, bond)
        gate, core = self.message_norm(z).chunk(2, dim=1)  # (n_edges, d) each
        messages = torch.sigmoid(gate) * F.softplus(core) * bonds.envelope
        return F.softplus(atoms + self.sum_norm(segment_sum(messages, bonds.source, n_atoms)))


class CGCNN(GraphEncoder):
    """Crystal graph convolutional neural network.

    Xie and Grossman, *Crystal Graph Convolutional Neural Networks for an Accurate and Interpretable Prediction of
    Material Properties*, Phys. Rev. Lett. 120, 145301 (2018), doi 10.1103/PhysRevLett.120.145301. The "clac" variant
    is that of Park et al., *Contrastive Learning of English Language and Crystal Graphs for Multimodal Representation
    of Materials Knowledge*, arXiv:2502.16451: other radial functions (see `DampedGaussianBasis`), no normalisation of
    single messages and no softplus before the readout; that work also takes `pooling` "sum".

    Differences from both: a message is multiplied by a cosine cutoff, so that features change smoothly when an atom
    leaves the graph's cutoff; the readout acts on atoms before pooling, not on crystals after it, so that atoms have
    features too. The batch normalisations depend on the rest of the batch while training; in evaluation mode,
    features of a crystal are its own.

    Args:
        dim: d, features per atom and per crystal.
        n_convolutions: graph convolutions.
        n_radial: Gaussians between 0 and the cutoff, at least 2.
        cutoff: Å; edges beyond it carry nothing.
        pooling: "mean" or "sum" over atoms, see `pooling_function`.
        variant: "paper" or "clac".
        element_features: "learned" or "one_hot", see `ElementEmbedding`.

    Raises:
        ValueError: unknown pooling, variant or element_features, or fewer than two Gaussians.
    """

    def __init__(
        self,
        dim: int,
        n_convolutions: int,
        n_radial: int,
        cutoff: float,
        pooling: str = "mean",
        variant: str = "paper",
        element_features: str = "one_hot",
    ) -> None:
        super().__init__()
        if variant not in ("paper", "clac"):
            raise ValueError(f"variant is {variant!r}, expected 'paper' or 'clac'")
        as_in_paper = variant == "paper"
        self.dim = dim
        self.pool = pooling_function(pooling)
        self.element_embedding = ElementEmbedding(dim, element_features)
        self.radial_basis = (GaussianBasis if as_in_paper else DampedGaussianBasis)(n_radial, cutoff)
        self.convolutions = nn.ModuleList(
            CrystalGraphConvolution(dim, n_radial, normalize_messages=as_in_paper) for _ in range(n_convolutions)
        )
        self.readout = nn.Sequential(
            nn.Softplus() if as_in_paper else nn.Identity(),
            nn.Linear(dim, dim),
            nn.Softplus(),
            nn.Linear(dim, dim),
        )

    def forward(self, crystals: CrystalBatch) -> CrystalFeatures:
        """Encode a batch; in evaluation mode, an atom without any edge is described by its element alone."""
        atoms = self.element_embedding(crystals)
        bonds = Bonds.of(crystals, self.radial_basis)
        for convolution in self.convolutions:
            atoms = convolution(atoms, bonds)
        nodes = self.readout(atoms)
        return CrystalFeatures(nodes, self.pool(nodes, crystals.batch, crystals.n_crystals), crystals.batch)
