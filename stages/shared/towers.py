"""The pretrained pair of towers: written by `pretrain`, read by `fusion` and `zero_shot`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from models.contrastive import ContrastiveModel
from stages.shared.encoders import build_graph_encoder, build_text_encoder
from stages.shared.graphs import GraphTable
from stages.shared.params import EncoderParams, PretrainParams, TextEncoderParams
from stages.shared.parts import row_parts
from stages.shared.tokenizers import TextTokenizer, build_tokenizer
from stages.shared.weights import load_weights, save_weights

_EMBEDDING_BATCH = 64  # crystals or texts embedded at a time; bounds memory, changes nothing else


@dataclass(frozen=True)
class ContrastiveTowers:
    """A contrastive model with what is needed to feed it.

    Attributes:
        model: the two towers and their projection heads, in evaluation mode.
        tokenizer: what turns texts into the text tower's input.
        encoder: says what the graph tower reads of a crystal.
    """

    model: ContrastiveModel
    tokenizer: TextTokenizer
    encoder: EncoderParams


def build_contrastive_model(
    encoder: EncoderParams,
    text_encoder: TextEncoderParams,
    pretrain: PretrainParams,
    cutoff: float,
    embedding_dim: int,
) -> ContrastiveModel:
    """Return the untrained pair of towers that params.yaml describes.

    Args:
        encoder: the graph tower.
        text_encoder: the text tower.
        pretrain: the space they share.
        cutoff: Å, of the graphs.
        embedding_dim: length of the embeddings the graph tower reads, 0 where it reads none.
    """
    return ContrastiveModel(
        build_graph_encoder(encoder, cutoff, embedding_dim),
        build_text_encoder(text_encoder),
        embedding_dim=pretrain.embedding_dim,
        initial_temperature=pretrain.temperature,
        text_weight=pretrain.text_weight,
    )


def save_contrastive_model(
    folder: Path,
    model: ContrastiveModel,
    encoder: EncoderParams,
    text_encoder: TextEncoderParams,
    pretrain: PretrainParams,
    cutoff: float,
    embedding_dim: int,
) -> None:
    """Write weights and the parameters that build the model again; arguments as in `build_contrastive_model`."""
    config = {
        "encoder": encoder.model_dump(),
        "text_encoder": text_encoder.model_dump(),
        "pretrain": pretrain.model_dump(),
        "cutoff": cutoff,
        "embedding_dim": embedding_dim,
    }
    save_weights(folder, model.state_dict(), config)


def load_contrastive_model(folder: Path) -> ContrastiveTowers:
    """Read the pair of towers of a pretraining run.

    Raises:
        StageError: the folder holds no readable weights.
    """
    state, config = load_weights(folder)
    encoder = EncoderParams.model_validate(config["encoder"])
    text_encoder = TextEncoderParams.model_validate(config["text_encoder"])
    model = build_contrastive_model(
        encoder,
        text_encoder,
        PretrainParams.model_validate(config["pretrain"]),
        config["cutoff"],
        config["embedding_dim"],
    )
    model.load_state_dict(state)
    return ContrastiveTowers(model.eval(), build_tokenizer(text_encoder), encoder)


@torch.no_grad()
def embed_crystals(towers: ContrastiveTowers, graphs: GraphTable) -> np.ndarray:
    """Return unit vectors (n_crystals, embedding_dim), float32."""
    parts = row_parts(len(graphs), _EMBEDDING_BATCH)
    batches = [towers.model.embed_crystals(graphs.batch(rows)) for rows in parts]
    return _rows(batches, towers)


@torch.no_grad()
def embed_texts(towers: ContrastiveTowers, texts: Sequence[str]) -> np.ndarray:
    """Return unit vectors (n_texts, embedding_dim), float32."""
    batches = [
        towers.model.embed_texts(towers.tokenizer.stack([towers.tokenizer.encode(text) for text in chosen]))
        for chosen in (texts[start : start + _EMBEDDING_BATCH] for start in range(0, len(texts), _EMBEDDING_BATCH))
    ]
    return _rows(batches, towers)


def _rows(batches: list[torch.Tensor], towers: ContrastiveTowers) -> np.ndarray:
    if not batches:
        return np.zeros((0, towers.model.graph_head.shortcut.out_features), dtype=np.float32)
    return torch.cat(batches).numpy()
