"""Graph and text towers by the names params.yaml gives them."""

from models.graph.batch import GraphEncoder
from models.graph.painn import PaiNN
from models.text.byte_transformer import ByteTransformer
from stages.shared.params import EncoderParams, TextEncoderParams


def build_graph_encoder(params: EncoderParams, cutoff: float) -> GraphEncoder:
    """Return an untrained graph tower.

    Args:
        params: the `encoder` section.
        cutoff: Å, the cutoff of the graphs it will see.
    """
    return PaiNN(params.dim, params.n_interactions, params.n_radial, cutoff, params.pooling)


def build_text_encoder(params: TextEncoderParams) -> ByteTransformer:
    """Return an untrained text tower from the `text_encoder` section."""
    return ByteTransformer(
        dim=params.dim,
        n_layers=params.n_layers,
        n_heads=params.n_heads,
        max_words=params.max_words,
        max_bytes=params.max_bytes,
        byte_dim=params.byte_dim,
        dropout=params.dropout,
    )
