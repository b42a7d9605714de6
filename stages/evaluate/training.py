"""The course of a training run, from the log it left behind."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.evaluate.charts import Quantities, draw_training
from stages.shared.text_files import read_csv, write_csv

LOSSES = ("train_loss", "val_loss")
Log = dict[str, NDArray[np.float64]]


def read_log(path: Path) -> Log:
    """Read a training log, one column per name, (n_epochs,) each; NaN where a cell is empty.

    The columns `epoch`, `train_loss` and `val_loss` are always there: without a validation split the last is all NaN,
    without any epoch all three are empty. Only a run that averaged weights has the column `averaged_steps`, the number
    of optimiser steps in the average.
    """
    rows = read_csv(path)
    names = list(rows[0]) if rows else ["epoch"]
    log = {name: np.array([float(row[name] or "nan") for row in rows]) for name in names}
    return {loss: np.full(len(rows), np.nan) for loss in LOSSES} | log


def kept_epoch(log: Log) -> int | None:
    """Return the epoch whose weights were kept, `None` where no validation loss was measured.

    That is the first with the lowest validation loss, or the last one of a run that averaged its weights.
    """
    measured = np.isfinite(log["val_loss"])
    if not measured.any():
        return None
    if "averaged_steps" in log:
        return int(log["epoch"][-1])
    row = np.where(measured, log["val_loss"], np.inf).argmin()
    return int(log["epoch"][row])


def evaluate_training(name: str, title: str, quantities: Quantities) -> Log:
    """Write the training curves of one run as a table and a figure; return its log.

    Args:
        name: of the run, for example `pretrain` or `fusion/band_gap`.
        title: of the figure.
        quantities: what the two losses of this run are.
    """
    log = read_log(Path(f"data/logs/{name}.csv"))
    plot = Path(f"plots/training/{name}")
    columns = ["epoch", *LOSSES]
    rows = zip(
        log["epoch"].astype(int),
        *([value if np.isfinite(value) else None for value in log[loss]] for loss in LOSSES),
        strict=True,
    )
    write_csv(plot.with_suffix(".csv"), columns, rows)
    draw_training(plot.with_suffix(".png"), title, quantities, log, kept_epoch(log))
    return log
