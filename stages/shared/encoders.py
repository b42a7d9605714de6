"""Graph and text towers by the names params.yaml gives them."""

from models.graph.batch import GraphEncoder
from models.graph.painn import PaiNN
from models.text.byte_transformer import ByteTransformer
from models.text.huggingface import HuggingFaceEncoder
from models.text.tokens import TextEncoder
from stages.shared.params import EncoderParams, TextEncoderParams
from stages.shared.pretrained_text import load_language_model


def build_graph_encoder(params: EncoderParams, cutoff: float) -> GraphEncoder:
    """Return an untrained graph tower.

    Args:
        params: the `encoder` section.
        cutoff: Å, the cutoff of the graphs it will see.
    """
    return PaiNN(params.dim, params.n_interactions, params.n_radial, cutoff, params.pooling)


def build_text_encoder(params: TextEncoderParams) -> TextEncoder:
    """Return the text tower of the `text_encoder` section: an untrained one, or a pretrained language model.

    Raises:
        StageError: the language model is not within reach.
    """
    if params.name == "huggingface":
        return HuggingFaceEncoder(load_language_model(params.model, params.revision), params.dim)
    return ByteTransformer(
        dim=params.dim,
        n_layers=params.n_layers,
        n_heads=params.n_heads,
        max_words=params.max_words,
        max_bytes=params.max_bytes,
        byte_dim=params.byte_dim,
        dropout=params.dropout,
    )
