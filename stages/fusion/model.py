"""The regressor of a fusion run."""

from pathlib import Path

import torch

from models.fusion import FusionRegressor
from stages.shared.embeddings import embedding_width
from stages.shared.encoders import build_graph_encoder, build_text_encoder, calibrate
from stages.shared.graphs import GraphTable
from stages.shared.params import Params
from stages.shared.towers import load_contrastive_model
from stages.shared.training import seed_of


def build_model(data: Path, params: Params, n_targets: int, train: GraphTable) -> FusionRegressor:
    """Return the untrained regressor, with the pretrained towers unless params.yaml asks for random ones.

    Args:
        data: the pipeline's data folder.
        params: with the sections `build_graphs`, `encoder`, `text_encoder` and `fusion`.
        n_targets: scalars that are learned together.
        train: the training crystals, for constants of the graph tower that depend on data.
    """
    torch.manual_seed(seed_of(params.fusion.seed, 0, "weights"))
    embedding_dim = embedding_width(data, params.encoder)
    graph_encoder = build_graph_encoder(params.encoder, params.build_graphs.cutoff, embedding_dim)
    text_encoder = build_text_encoder(params.text_encoder)
    if params.fusion.pretrained:
        pretrained = load_contrastive_model(data / "weights/pretrain").model
        graph_encoder.load_state_dict(pretrained.graph_encoder.state_dict())
        text_encoder.load_state_dict(pretrained.text_encoder.state_dict())
    else:
        calibrate(graph_encoder, train)
    return FusionRegressor(
        graph_encoder,
        text_encoder,
        params.fusion.mixing,
        params.fusion.dim,
        params.fusion.n_heads,
        params.fusion.dropout,
        n_targets,
    )
