"""The figures of the trained models: training curves and parity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stages.shared.figures import BLUE, GREY, LIGHT_GREY, ORANGE, drawing, write_message

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Quantities:
    """What the losses of a training run are, in words with their unit; the two are rarely the same.

    Args:
        train: what training minimises.
        validation: what the best epoch is chosen by.
    """

    train: str
    validation: str


def draw_training(
    path: Path, title: str, quantities: Quantities, log: Mapping[str, Numbers], kept_epoch: int | None
) -> None:
    """Draw the losses of a training run against the epoch, each in a panel of its own, and mark the weights kept.

    Args:
        path: the PNG to write.
        title: what was trained.
        quantities: what the losses are.
        log: columns `epoch`, `train_loss`, `val_loss`, each (n_epochs,); NaN where not measured. Epochs with a positive
            `averaged_steps`, where there is such a column, were validated with averaged weights.
        kept_epoch: the epoch whose weights are kept, `None` without a validation loss.
    """
    from matplotlib.ticker import MaxNLocator

    with drawing(path, 6.4, 3.4 if kept_epoch is None else 5.4) as figure:
        epoch = log["epoch"]
        if len(epoch) == 0:
            write_message(figure.subplots(), "No epoch was logged.")
            return
        panels = figure.subplots(1 if kept_epoch is None else 2, 1, sharex=True, squeeze=False)[:, 0]
        panels[0].plot(epoch, log["train_loss"], color=GREY)
        panels[0].set(title=f"{title}\nTraining: {quantities.train}")
        if kept_epoch is not None:
            _validation_panel(panels[1], log, kept_epoch)
            panels[1].set(title=f"Validation: {quantities.validation}")
        panels[-1].set(xlabel="epoch")
        panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))


def _validation_panel(axes: "Axes", log: Mapping[str, Numbers], kept_epoch: int) -> None:
    """Draw the validation loss, the epochs whose weights were averaged and the epoch that is kept."""
    epoch, loss = log["epoch"], log["val_loss"]
    averaged = epoch[log.get("averaged_steps", np.zeros(len(epoch))) > 0]
    axes.plot(epoch, loss, color=BLUE)
    kept = f"lowest, kept: epoch {kept_epoch}"
    if len(averaged):
        axes.axvspan(averaged[0] - 0.5, averaged[-1] + 0.5, color=LIGHT_GREY, alpha=0.6, linewidth=0)
        kept = f"average of epochs {averaged[0]:.0f} to {averaged[-1]:.0f}, kept"
    axes.plot(kept_epoch, float(loss[epoch == kept_epoch][0]), "o", color=ORANGE, label=kept)
    axes.legend()


def draw_parity(path: Path, label: str, unit: str, true: Numbers, branches: Mapping[str, Numbers]) -> None:
    """Draw predicted against true values of the test crystals: the first branch large, the others beside it.

    Args:
        path: the PNG to write.
        label: the property, for example `Band gap`.
        unit: of the property, for example `eV`.
        true: (n,) values.
        branches: (n,) predictions by name of the branch.
    """
    with drawing(path, 8.4, 5.9) as figure:
        if len(true) == 0:
            write_message(figure.subplots(), f"No test crystal has a known {label.lower()}.")
            return
        names = list(branches)
        n_small = len(names) - 1
        grid = figure.add_gridspec(max(n_small, 1), 2, width_ratios=[2.05, 1])
        large = figure.add_subplot(grid[:, 0])
        parity_panel(large, names[0], unit, true, branches[names[0]], marker_size=26)
        quantity = f"{label.lower()} ({unit})"
        large.set(xlabel=f"true {quantity}", ylabel=f"predicted {quantity}")
        limits = common_limits([true, *branches.values()])
        large.set(xlim=limits, ylim=limits)
        for row, name in enumerate(names[1:]):
            small = figure.add_subplot(grid[row, 1])
            parity_panel(small, name, unit, true, branches[name], marker_size=9)
            small.set(xlim=limits, ylim=limits)


def parity_panel(axes: "Axes", name: str, unit: str, true: Numbers, predicted: Numbers, marker_size: float) -> None:
    """Draw predicted against true values, (n,) each, with the mean absolute error in the title."""
    mae = np.abs(predicted - true).mean()
    axes.axline((0.0, 0.0), slope=1.0, color=GREY, linewidth=1.0, zorder=1)
    axes.scatter(true, predicted, s=marker_size, color=BLUE, alpha=0.6, linewidths=0, zorder=2)
    axes.set_aspect("equal", adjustable="box")
    axes.set_title(f"{name}: MAE {mae:.3g} {unit}")


def common_limits(values: Sequence[Numbers]) -> tuple[float, float]:
    """Return axis limits that hold every finite value with a margin of 4 %."""
    everything = np.concatenate(list(values))
    everything = everything[np.isfinite(everything)]
    low, high = float(everything.min()), float(everything.max())
    margin = 0.04 * (high - low) or 1.0
    return low - margin, high + margin
