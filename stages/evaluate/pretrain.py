"""`python -m stages.evaluate.pretrain`: how the contrastive training went."""

from pathlib import Path

import numpy as np

from stages.evaluate.regression import finite_or_none
from stages.evaluate.training import Log, best_epoch, evaluate_training
from stages.shared.errors import run_stage
from stages.shared.tables import write_json


def pretrain_metrics(log: Log) -> dict[str, float | int | None]:
    """Return the number of epochs, the best one with its loss, and every logged number at the end.

    Columns of the log beside the epoch appear as `final_<column>`, so the learned logit scale is
    `final_logit_scale`.
    """
    best = best_epoch(log)
    metrics: dict[str, float | int | None] = {
        "epochs": len(log["epoch"]),
        "best_epoch": best,
        "best_val_loss": None if best is None else float(np.nanmin(log["val_loss"])),
    }
    for name in sorted(set(log) - {"epoch", "learning_rate"}):
        metrics[f"final_{name}"] = finite_or_none(log[name][-1]) if len(log[name]) else None
    return metrics


def main() -> None:
    """Summarise the training log."""
    log = evaluate_training("pretrain", "Contrastive pretraining")
    write_json(Path("metrics/pretrain.json"), pretrain_metrics(log))


if __name__ == "__main__":
    run_stage(main)
