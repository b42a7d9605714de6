"""Train the regression of one target: `python -m stages.fusion formation_energy_per_atom`."""

import sys
from pathlib import Path

import torch

from models.fusion import FusionRegressor
from stages.fusion.dataset import read_labelled
from stages.fusion.outputs import write_predictions, write_untrained
from stages.fusion.task import FusionTask
from stages.shared.encoders import build_graph_encoder, build_text_encoder
from stages.shared.errors import StageError, run_stage
from stages.shared.params import Params, load_params
from stages.shared.progress import say
from stages.shared.scratch import scratch_folder
from stages.shared.tokenizers import build_tokenizer
from stages.shared.towers import load_contrastive_model
from stages.shared.training import seed_of, train, write_history
from stages.shared.weights import save_weights

DATA = Path("data")


def main() -> None:
    """Read labelled crystals, train from the pretrained towers, write weights, history and predictions."""
    target = sys.argv[1]
    params = load_params("build_graphs", "encoder", "text_encoder", "targets", "fusion")
    if target not in params.targets:
        raise StageError(f"{target} is not among the targets of params.yaml: {', '.join(params.targets)}")
    inputs = [DATA / "graphs", DATA / "narratives.parquet", DATA / "crystals.parquet", DATA / "weights/pretrain"]
    with scratch_folder(f"fusion@{target}", params, inputs) as scratch:
        examples = read_labelled(DATA, target, params.targets[target], params.fusion.text)
        if not any(example.split == "train" for example in examples):
            say(f"{target}: no crystal of the train split has a value, so there is nothing to learn")
            write_untrained(DATA, target)
            return
        task = FusionTask(examples, params.fusion, build_tokenizer(params.text_encoder))
        model = build_model(params)
        state = train(model, task, params.fusion, scratch, f"fusion {target}")
        config = {name: getattr(params, name).model_dump() for name in ("encoder", "text_encoder", "fusion")}
        config |= {"cutoff": params.build_graphs.cutoff, "mean": task.mean, "scale": task.scale}
        save_weights(DATA / "weights/fusion" / target, model.state_dict(), config)
        write_history(DATA / f"logs/fusion/{target}.csv", state)
        write_predictions(DATA, target, examples, task.predict(model, examples))


def build_model(params: Params) -> FusionRegressor:
    """Return the regressor, with the pretrained towers unless params.yaml asks for random ones."""
    torch.manual_seed(seed_of(params.fusion.seed, 0, "weights"))
    graph_encoder = build_graph_encoder(params.encoder, params.build_graphs.cutoff)
    text_encoder = build_text_encoder(params.text_encoder)
    if params.fusion.pretrained:
        pretrained = load_contrastive_model(DATA / "weights/pretrain").model
        graph_encoder.load_state_dict(pretrained.graph_encoder.state_dict())
        text_encoder.load_state_dict(pretrained.text_encoder.state_dict())
    fusion = params.fusion
    return FusionRegressor(graph_encoder, text_encoder, fusion.mixing, fusion.dim, fusion.n_heads, fusion.dropout)


if __name__ == "__main__":
    run_stage(main)
