"""The figures of the trained models: training curves, parity and example spectra."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stages.shared.figures import BLACK, BLUE, GREY, ORANGE, drawing, write_message

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Example:
    """One crystal's spectrum in a figure of examples.

    Args:
        role: why it is shown: best, median or worst.
        formula: reduced formula.
        r2: of the prediction, over the bins.
        true: (n_bins,) divided by its maximum.
        predicted: (n_bins,).
    """

    role: str
    formula: str
    r2: float
    true: Numbers
    predicted: Numbers


def draw_training(path: Path, title: str, log: Mapping[str, Numbers], best_epoch: int | None) -> None:
    """Draw the losses of a training run against the epoch and mark the epoch whose weights are kept.

    Args:
        path: the PNG to write.
        title: what was trained.
        log: columns `epoch`, `train_loss`, `val_loss`, each (n_epochs,); NaN where not measured.
        best_epoch: the epoch with the lowest validation loss, `None` if there is none.
    """
    from matplotlib.ticker import MaxNLocator

    with drawing(path, 6.4, 3.8) as figure:
        axes = figure.subplots()
        epoch = log["epoch"]
        if len(epoch) == 0:
            write_message(axes, "No epoch was logged.")
            return
        axes.plot(epoch, log["train_loss"], color=GREY, label="train")
        if best_epoch is not None:
            axes.plot(epoch, log["val_loss"], color=BLUE, label="validation")
            best = float(log["val_loss"][epoch == best_epoch][0])
            axes.plot(best_epoch, best, "o", color=ORANGE, label=f"best, epoch {best_epoch}")
        axes.set(title=title, xlabel="epoch", ylabel="loss")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
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
        _parity_panel(large, names[0], unit, true, branches[names[0]], marker_size=26)
        quantity = f"{label.lower()} ({unit})"
        large.set(xlabel=f"true {quantity}", ylabel=f"predicted {quantity}")
        limits = _common_limits([true, *branches.values()])
        large.set(xlim=limits, ylim=limits)
        for row, name in enumerate(names[1:]):
            small = figure.add_subplot(grid[row, 1])
            _parity_panel(small, name, unit, true, branches[name], marker_size=9)
            small.set(xlim=limits, ylim=limits)


def _parity_panel(axes: "Axes", name: str, unit: str, true: Numbers, predicted: Numbers, marker_size: float) -> None:
    mae = np.abs(predicted - true).mean()
    axes.axline((0.0, 0.0), slope=1.0, color=GREY, linewidth=1.0, zorder=1)
    axes.scatter(true, predicted, s=marker_size, color=BLUE, alpha=0.6, linewidths=0, zorder=2)
    axes.set_aspect("equal", adjustable="box")
    axes.set_title(f"{name}: MAE {mae:.3g} {unit}")


def _common_limits(values: Sequence[Numbers]) -> tuple[float, float]:
    """Return axis limits that hold every finite value with a margin of 4 %."""
    everything = np.concatenate(list(values))
    everything = everything[np.isfinite(everything)]
    low, high = float(everything.min()), float(everything.max())
    margin = 0.04 * (high - low) or 1.0
    return low - margin, high + margin


def draw_examples(path: Path, kind: str, axis: str, unit: str, grid: Numbers, examples: Sequence[Example]) -> None:
    """Draw true and predicted spectra of a few crystals, one above the other.

    Args:
        path: the PNG to write.
        kind: `phonon` or `electron`.
        axis: name of the grid, `frequency` or `energy`.
        unit: of the grid.
        grid: (n_bins,).
        examples: from the best to the worst.
    """
    with drawing(path, 6.8, 2.3 * max(len(examples), 1) + 0.3) as figure:
        if not examples:
            write_message(figure.subplots(), f"No test crystal has a known {kind} DOS.")
            return
        panels = figure.subplots(len(examples), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        for axes, example in zip(panels, examples, strict=True):
            axes.fill_between(grid, example.true, color=GREY, alpha=0.3, linewidth=0, label="true")
            axes.plot(grid, example.true, color=GREY, linewidth=1.0)
            axes.plot(grid, example.predicted, color=ORANGE, label="predicted")
            axes.set_title(f"{example.role}: {example.formula}, R² {example.r2:.2f}")
            if axis == "energy":
                axes.axvline(0.0, color=BLACK, linewidth=0.8, linestyle=":")
        panels[0].legend(ncols=2, loc="upper right", bbox_to_anchor=(1.0, 1.18))
        panels[-1].set(xlabel=f"{axis} ({unit})", xlim=(grid[0], grid[-1]))
        figure.supylabel("DOS divided by its maximum", fontsize=10.5)
