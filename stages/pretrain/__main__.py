"""Pretrain the towers: `python -m stages.pretrain`."""

from pathlib import Path

import torch

from stages.pretrain.pairs import VIEWS, read_pairs
from stages.pretrain.task import PretrainTask
from stages.shared.checkpoint import TrainingState
from stages.shared.embeddings import EMBEDDINGS, embedding_width
from stages.shared.encoders import calibrate
from stages.shared.errors import run_stage
from stages.shared.params import load_params
from stages.shared.progress import say
from stages.shared.scratch import scratch_folder
from stages.shared.tokenizers import build_tokenizer
from stages.shared.towers import build_contrastive_model, save_contrastive_model
from stages.shared.training import seed_of, train, write_history

DATA = Path("data")


def main() -> None:
    """Read pairs of crystal and text, train both towers, write weights and the training history."""
    params = load_params("build_graphs", "encoder", "text_encoder", "pretrain")
    inputs = [DATA / name for name in ("graphs", EMBEDDINGS, "narratives.parquet", "crystals.parquet")]
    cutoff, embedding_dim = params.build_graphs.cutoff, embedding_width(DATA, params.encoder)
    with scratch_folder("pretrain", params, inputs) as scratch:
        tokenizer = build_tokenizer(params.text_encoder)
        views = VIEWS[params.pretrain.texts]
        pairs, held_out = (
            read_pairs(DATA, split, views, params.encoder, tokenizer, scratch) for split in ("train", "val")
        )
        torch.manual_seed(seed_of(params.pretrain.seed, 0, "weights"))
        model = build_contrastive_model(params.encoder, params.text_encoder, params.pretrain, cutoff, embedding_dim)
        state = TrainingState()
        if len(pairs) > 1:
            calibrate(model.graph_encoder, pairs.graphs)
            task = PretrainTask(pairs, held_out, tokenizer)
            state = train(model, task, params.pretrain, scratch, "pretrain")
            say(f"pretrain: {len(pairs)} pairs, best epoch {state.best_epoch}")
        else:
            say("pretrain: fewer than two crystals with a text in the train split; the towers stay untrained")
        save_contrastive_model(
            DATA / "weights/pretrain",
            model,
            params.encoder,
            params.text_encoder,
            params.pretrain,
            cutoff,
            embedding_dim,
        )
        write_history(DATA / "logs/pretrain.csv", state)


if __name__ == "__main__":
    run_stage(main)
