"""A graph tower on features of whole crystals that another model has made."""

from torch import nn

from models.graph.batch import CrystalBatch, CrystalFeatures, GraphEncoder
from models.graph.element_embedding import ElementEmbedding
from models.graph.pooling import pooling_function
from models.layers import MLP


class Precomputed(GraphEncoder):
    r"""A trained map from the embedding $e$ of a crystal to features of its atoms.

    $$ h_i = \mathrm{MLP}(\mathrm{LayerNorm}(e_{c(i)})) + t_{Z_i} $$

    for atom $i$ of crystal $c(i)$. The pretrained model stays as it is, as EquiformerV2 does in Graph-Text CLIP. The
    embedding is that of the crystal as a whole, so what tells its atoms apart is their element alone, $t_Z$ of
    `ElementEmbedding`.

    LayerNorm: Ba, Kiros, Hinton, *Layer Normalization*, arXiv:1607.06450.

    Args:
        embedding_dim: length of the embeddings.
        dim: d, features per atom and per crystal.
        pooling: "mean" or "sum" over atoms, see `pooling_function`.

    Raises:
        ValueError: unknown pooling.
    """

    def __init__(self, embedding_dim: int, dim: int, pooling: str = "mean") -> None:
        super().__init__()
        self.dim = dim
        self.pool = pooling_function(pooling)
        self.element_embedding = ElementEmbedding(dim, "learned")
        self.norm = nn.LayerNorm(embedding_dim)
        self.projection = MLP(embedding_dim, dim, dim)

    def forward(self, crystals: CrystalBatch) -> CrystalFeatures:
        """Encode a batch.

        Raises:
            ValueError: the batch has no embedding.
        """
        if crystals.embedding is None:
            raise ValueError("the batch has no embedding")
        projected = self.projection(self.norm(crystals.embedding))  # (n_crystals, d)
        nodes = projected.index_select(0, crystals.batch) + self.element_embedding(crystals)
        return CrystalFeatures(nodes, self.pool(nodes, crystals.batch, crystals.n_crystals), crystals.batch)
