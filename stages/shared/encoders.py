"""Graph and text towers by the names params.yaml gives them.

A graph encoder's module is imported where it is built: an edit of one encoder reruns nothing that uses another.
"""

import math

import numpy as np

from models.graph.batch import GraphEncoder
from models.text.byte_transformer import ByteTransformer
from models.text.huggingface import HuggingFaceEncoder
from models.text.tokens import TextEncoder
from stages.shared.graphs import GraphTable
from stages.shared.params import CGCNNParams, CrystalformerParams, EncoderParams, PaiNNParams, TextEncoderParams
from stages.shared.pretrained_text import load_language_model

_CALIBRATION_CRYSTALS = 256


def build_graph_encoder(params: EncoderParams, cutoff: float, embedding_dim: int) -> GraphEncoder:
    """Return an untrained graph tower.

    Args:
        params: the `encoder` section.
        cutoff: Å, the cutoff of the graphs it will see.
        embedding_dim: length of the precomputed embeddings; 0 for encoders that read the structure.
    """
    if params.name == "painn":
        return _painn(params.painn, params, cutoff)
    if params.name == "cgcnn":
        return _cgcnn(params.cgcnn, params, cutoff)
    if params.name == "crystalformer":
        return _crystalformer(params.crystalformer, params)
    return _precomputed(params, embedding_dim)


def calibrate(encoder: GraphEncoder, graphs: GraphTable) -> None:
    """Set the constants of an untrained tower that depend on data, from crystals spread over the train split."""
    if len(graphs):
        step = math.ceil(len(graphs) / _CALIBRATION_CRYSTALS)
        encoder.calibrate(graphs.batch(np.arange(0, len(graphs), step)))


def _painn(own: PaiNNParams, params: EncoderParams, cutoff: float) -> GraphEncoder:
    from models.graph.painn.model import PaiNN

    return PaiNN(
        dim=params.dim,
        n_interactions=own.n_interactions,
        n_radial=own.n_radial,
        cutoff=cutoff,
        pooling=params.pooling,
        variant=own.variant,
        element_features=own.element_features,
    )


def _cgcnn(own: CGCNNParams, params: EncoderParams, cutoff: float) -> GraphEncoder:
    from models.graph.cgcnn.model import CGCNN

    return CGCNN(
        dim=params.dim,
        n_convolutions=own.n_convolutions,
        n_radial=own.n_radial,
        cutoff=cutoff,
        pooling=params.pooling,
        variant=own.variant,
        element_features=own.element_features,
    )


def _crystalformer(own: CrystalformerParams, params: EncoderParams) -> GraphEncoder:
    from models.graph.crystalformer.model import Crystalformer

    return Crystalformer(
        dim=params.dim,
        n_blocks=own.n_blocks,
        n_heads=own.n_heads,
        feed_forward_dim=own.feed_forward_dim,
        domain=own.domain,
        value_encoding=own.value_encoding,
        n_radial=own.n_radial,
        real_scale=own.real_scale,
        reciprocal_scale=own.reciprocal_scale,
        gauss_lower_bound=own.gauss_lower_bound,
        image_tolerance=own.image_tolerance,
        normalization=own.normalization,
        dropout=own.dropout,
        pooling=params.pooling,
    )


def _precomputed(params: EncoderParams, embedding_dim: int) -> GraphEncoder:
    from models.graph.precomputed.model import Precomputed

    return Precomputed(embedding_dim, params.dim, params.pooling)


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
