"""`python -m stages.evaluate.pretrain`: how the contrastive training went."""

from pathlib import Path

from stages.evaluate.charts import Quantities
from stages.evaluate.regression import finite_or_none
from stages.evaluate.training import Log, evaluate_training, kept_epoch
from stages.shared.errors import run_stage
from stages.shared.text_files import write_json


def pretrain_metrics(log: Log) -> dict[str, float | int | None]:
    """Return the number of epochs, the one that is kept with its loss, and every logged number at the end.

    `best_epoch` is the epoch with the lowest validation loss, or the last one where weights were averaged. Columns of
    the log beside the epoch appear as `final_<column>`, so the learned logit scale is `final_logit_scale`.
    """
    best = kept_epoch(log)
    metrics: dict[str, float | int | None] = {
        "epochs": len(log["epoch"]),
        "best_epoch": best,
        "best_val_loss": None if best is None else finite_or_none(log["val_loss"][log["epoch"] == best][0]),
    }
    for name in sorted(set(log) - {"epoch", "learning_rate"}):
        metrics[f"final_{name}"] = finite_or_none(log[name][-1]) if len(log[name]) else None
    return metrics


def main() -> None:
    """Summarise the training log."""
    losses = Quantities("cross-modal and text-text loss in batches (nats)", "cross-modal loss over the split (nats)")
    log = evaluate_training("pretrain", "Contrastive pretraining", losses)
    write_json(Path("metrics/pretrain.json"), pretrain_metrics(log))


if __name__ == "__main__":
    run_stage(main)
