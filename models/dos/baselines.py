"""The networks that the DOS transformer is compared with: with and without a graph, with and without energies."""

from torch import Tensor, nn
from torch.nn import functional as F

from models.dos.tokens import EnergyTokens
from models.graph.batch import CrystalBatch, CrystalFeatures, GraphEncoder
from models.graph.element_embedding import ElementEmbedding
from models.graph.pooling import pooling_function
from models.layers import MLP


class AtomEncoder(GraphEncoder):
    r"""Atoms by themselves: no edge is read, so two crystals of one composition look alike.

    $$ x_i = \mathrm{MLP}(e_{Z_i}), \qquad g = \frac1N \sum_i x_i $$

    The embedder of the "MLP" baseline, see `SpectrumBaseline`.

    Args:
        dim: d, features per atom and per crystal.
        pooling: "mean" or "sum" over atoms, see `pooling_function`.

    Raises:
        ValueError: unknown pooling.
    """

    def __init__(self, dim: int, pooling: str = "mean") -> None:
        super().__init__()
        self.dim = dim
        self.pool = pooling_function(pooling)
        self.element_embedding = ElementEmbedding(dim, "learned")
        self.atom_map = MLP(dim, dim, dim)

    def forward(self, crystals: CrystalBatch) -> CrystalFeatures:
        """Encode a batch."""
        nodes = self.atom_map(self.element_embedding(crystals))  # (n_atoms, d)
        return CrystalFeatures(nodes, self.pool(nodes, crystals.batch, crystals.n_crystals), crystals.batch)


class VectorHead(nn.Module):
    r"""All bins at once from the crystal vector, which knows nothing of energies.

    $$ y = W_2\, \mathrm{LeakyReLU}(W_1 g) $$

    Args:
        dim: d, features of the crystal vector and of the hidden layer.
        n_bins: M.
    """

    def __init__(self, dim: int, n_bins: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(dim, dim)
        self.output = nn.Linear(dim, n_bins)

    def forward(self, crystal: Tensor) -> Tensor:
        """Return (B, n_bins) from crystal vectors (B, d)."""
        return self.output(F.leaky_relu(self.hidden(crystal)))


class EnergyHead(nn.Module):
    r"""One bin after the other, from its energy token and the crystal vector.

    $$ y_m = w \cdot \mathrm{LeakyReLU}(W\, [E_m, g]) $$

    W acts on tokens and crystals apart, so that the large product is taken for M + B rows, not for B · M.

    Args:
        energies: the tokens E.
        dim: d, features of a token, of the crystal vector and of the hidden layer.
    """

    def __init__(self, energies: EnergyTokens, dim: int) -> None:
        super().__init__()
        self.energies = energies
        self.energy_map = nn.Linear(dim, dim, bias=False)
        self.crystal_map = nn.Linear(dim, dim)
        self.output = nn.Linear(dim, 1)

    def forward(self, crystal: Tensor) -> Tensor:
        """Return (B, n_bins) from crystal vectors (B, d)."""
        hidden = self.energy_map(self.energies()) + self.crystal_map(crystal)[:, None]  # (B, n_bins, d)
        output: Tensor = self.output(F.leaky_relu(hidden)).squeeze(-1)
        return output


class SpectrumBaseline(nn.Module):
    """A spectrum from the crystal vector alone: energies and atoms do not attend to each other.

    The four baselines of Lee et al., *Density of States Prediction of Crystalline Materials via Prompt-guided
    Multi-Modal Transformer*, NeurIPS 2023, arXiv:2311.12856, section 5: an MLP (`AtomEncoder`) or a graph network (any
    graph encoder), each without energies (`VectorHead`) or with an energy embedding (`EnergyHead`). Different from the
    published code, and as in `DosTransformer`: the crystal vector is intensive where the embedder's pooling is, no DFT
    energies are inputs, and spectra are not negative. What is compared is the attention.

    Args:
        embedder: crystals to features.
        head: crystal vectors (B, d) to spectra (B, n_bins).
        dim: d, features of the crystal vector the head reads.
    """

    def __init__(self, embedder: GraphEncoder, head: VectorHead | EnergyHead, dim: int) -> None:
        super().__init__()
        self.embedder = embedder
        self.crystal_map = nn.Linear(embedder.dim, dim)
        self.norm = nn.LayerNorm(dim)  # without it a large crystal vector can silence the softplus for good
        self.head = head

    def forward(self, crystals: CrystalBatch) -> Tensor:
        """Return the spectra of B crystals, (B, n_bins), in units of their maximum, not negative."""
        return F.softplus(self.head(self.norm(self.crystal_map(self.embedder(crystals).pooled))))
