"""Train the regression of one target: `python -m stages.fusion formation_energy_per_atom`."""

import sys
from dataclasses import asdict
from pathlib import Path

from stages.fusion.dataset import learned_targets, read_labelled
from stages.fusion.model import build_model
from stages.fusion.outputs import write_predictions, write_untrained
from stages.fusion.task import FusionTask
from stages.shared.embeddings import EMBEDDINGS, embedding_width
from stages.shared.errors import run_stage
from stages.shared.params import load_params
from stages.shared.progress import say
from stages.shared.scratch import scratch_folder
from stages.shared.tables import column_names
from stages.shared.tokenizers import build_tokenizer
from stages.shared.training import train, write_history
from stages.shared.weights import save_weights

DATA = Path("data")


def main() -> None:
    """Read labelled crystals, train from the pretrained towers, write weights, history and predictions."""
    target = sys.argv[1]
    params = load_params("build_graphs", "encoder", "text_encoder", "targets", "fusion")
    columns = column_names(DATA / "crystals.parquet")
    targets = learned_targets(target, params.fusion.auxiliary_targets, params.targets, columns)
    names = ("graphs", EMBEDDINGS, "narratives.parquet", "crystals.parquet", "weights/pretrain")
    inputs = [DATA / name for name in names]
    with scratch_folder(f"fusion@{target}", params, inputs) as scratch:
        tokenizer = build_tokenizer(params.text_encoder)
        examples = read_labelled(DATA, targets, params.fusion.text, params.encoder, tokenizer, scratch)
        labelled = examples.with_target()
        if not len(labelled.of_split("train")):
            say(f"{target}: no crystal of the train split has a value, so there is nothing to learn")
            write_untrained(DATA, target)
            return
        task = FusionTask(examples, params.fusion, tokenizer)
        model = build_model(DATA, params, len(targets), examples.of_split("train").graphs)
        state = train(model, task, params.fusion, scratch, f"fusion {target}")
        config = {name: getattr(params, name).model_dump() for name in ("encoder", "text_encoder", "fusion")}
        config |= {"cutoff": params.build_graphs.cutoff, "embedding_dim": embedding_width(DATA, params.encoder)}
        config |= {"targets": list(targets)} | asdict(task.normalization)
        save_weights(DATA / "weights/fusion" / target, model.state_dict(), config)
        write_history(DATA / f"logs/fusion/{target}.csv", state)
        write_predictions(DATA, target, labelled, task.predict(model, labelled))


if __name__ == "__main__":
    run_stage(main)
