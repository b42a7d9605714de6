"""The figures of a density of states: true and predicted spectra, and what follows from them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stages.evaluate.charts import common_limits, parity_panel
from stages.evaluate.dos_physics import Quantity
from stages.shared.figures import BLACK, GREY, LIGHT_GREY, ORANGE, drawing, write_message
from stages.shared.params import DosKindParams

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

Numbers = NDArray[np.float64]

_HEIGHTS = {"max": "DOS divided by its maximum", "sum": "share of the DOS in a bin", "none": "states per atom in a bin"}
_PANELS_PER_ROW = 3


@dataclass(frozen=True)
class Example:
    """One crystal's spectrum in a figure of examples.

    Args:
        role: why it is shown: best, median or worst.
        formula: reduced formula.
        r2: of the prediction, over the bins.
        true: (n_bins,).
        predicted: (n_bins,).
        known: (n_bins,) False where the source delivered nothing.
    """

    role: str
    formula: str
    r2: float
    true: Numbers
    predicted: Numbers
    known: NDArray[np.bool_]


def axis_name(setting: DosKindParams) -> str:
    """Return what the bins of a kind are: `energy` or `frequency`."""
    return "energy" if setting.unit == "eV" else "frequency"


def draw_examples(path: Path, kind: str, setting: DosKindParams, grid: Numbers, examples: Sequence[Example]) -> None:
    """Draw true and predicted spectra of a few crystals, one above the other.

    Args:
        path: the PNG to write.
        kind: `phonon` or `electron`.
        setting: unit and normalisation of the spectra.
        grid: (n_bins,).
        examples: from the best to the worst.
    """
    with drawing(path, 6.8, 2.3 * max(len(examples), 1) + 0.3) as figure:
        if not examples:
            write_message(figure.subplots(), f"No test crystal has a known {kind} DOS.")
            return
        panels = figure.subplots(len(examples), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        for axes, example in zip(panels, examples, strict=True):
            _spectrum_panel(axes, setting, grid, example)
            axes.set_title(f"{example.role}: {example.formula}, R² {example.r2:.2f}")
        handles = _legend_handles(panels)
        panels[0].legend(handles.values(), handles.keys(), ncols=3, loc="upper right", bbox_to_anchor=(1.0, 1.18))
        panels[-1].set(xlabel=f"{axis_name(setting)} ({setting.unit})", xlim=(grid[0], grid[-1]))
        figure.supylabel(_HEIGHTS[setting.normalization], fontsize=10.5)


def draw_gallery(
    path: Path, kind: str, setting: DosKindParams, grid: Numbers, gallery: Mapping[str, Sequence[Example]]
) -> None:
    """Draw the best, the median and the worst crystal of each crystal system, a row for each system.

    Args:
        path: the PNG to write.
        kind: `phonon` or `electron`.
        setting: unit and normalisation of the spectra.
        grid: (n_bins,).
        gallery: three examples by crystal system.
    """
    with drawing(path, 9.6, 1.7 * max(len(gallery), 2) + 0.6) as figure:
        if not gallery:
            write_message(figure.subplots(), f"No test crystal has a known {kind} DOS.")
            return
        rows = figure.subplots(len(gallery), 3, sharex=True, sharey=True, squeeze=False)
        for panels, (system, examples) in zip(rows, gallery.items(), strict=True):
            panels[0].set_ylabel(system)
            for axes, example in zip(panels, examples, strict=True):
                _spectrum_panel(axes, setting, grid, example)
                axes.set_title(f"{example.role}: {example.formula}, R² {example.r2:.2f}", fontsize=9)
        for axes in rows[-1]:
            axes.set(xlabel=f"{axis_name(setting)} ({setting.unit})", xlim=(grid[0], grid[-1]))
        handles = _legend_handles(rows.ravel())
        figure.legend(handles.values(), handles.keys(), ncols=3, loc="outside upper right")
        figure.supylabel(_HEIGHTS[setting.normalization], fontsize=10.5)


def _spectrum_panel(axes: "Axes", setting: DosKindParams, grid: Numbers, example: Example) -> None:
    """Draw one crystal's true spectrum where it is known, its prediction, and the Fermi energy of electrons."""
    true = np.where(example.known, example.true, np.nan)
    axes.fill_between(grid, true, color=GREY, alpha=0.3, linewidth=0, label="true")
    axes.plot(grid, true, color=GREY, linewidth=1.0)
    axes.plot(grid, example.predicted, color=ORANGE, label="predicted")
    for first, last in _runs(~example.known):
        axes.axvspan(grid[first], grid[last], color=LIGHT_GREY, alpha=0.6, linewidth=0, label="not delivered")
    if setting.unit == "eV":
        axes.axvline(0.0, color=BLACK, linewidth=0.8, linestyle=":")


def _legend_handles(panels: Iterable["Axes"]) -> dict[str, "Artist"]:
    """Return one line or area for each label that is in any of the panels."""
    handles: dict[str, Artist] = {}
    for axes in panels:
        handles |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    return handles


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the first and the last place of each run of True."""
    steps = np.diff(np.concatenate([[False], flags, [False]]).astype(int))
    return list(zip(np.flatnonzero(steps == 1).tolist(), (np.flatnonzero(steps == -1) - 1).tolist(), strict=True))


def draw_physics(path: Path, kind: str, quantities: Mapping[str, Quantity]) -> None:
    """Draw each quantity from predicted against from true spectra of the test crystals.

    Args:
        path: the PNG to write.
        kind: `phonon` or `electron`.
        quantities: with a prediction called `predicted`.
    """
    n_rows = -(-len(quantities) // _PANELS_PER_ROW)
    with drawing(path, 3.8 * _PANELS_PER_ROW, 4.0 * n_rows) as figure:
        if not any(np.isfinite(quantity.true).any() for quantity in quantities.values()):
            write_message(figure.subplots(), f"No test crystal has a known {kind} DOS.")
            return
        panels = figure.subplots(n_rows, _PANELS_PER_ROW, squeeze=False).ravel()
        for axes in panels[len(quantities) :]:
            axes.set_axis_off()
        for axes, quantity in zip(panels, quantities.values(), strict=False):
            true, predicted = quantity.true, quantity.predictions["predicted"]
            given = np.isfinite(true) & np.isfinite(predicted)
            if not given.any():
                write_message(axes, f"{quantity.label}: not given")
                continue
            parity_panel(axes, quantity.label, quantity.unit, true[given], predicted[given], marker_size=14)
            limits = common_limits([true[given], predicted[given]])
            axes.set(xlim=limits, ylim=limits, xlabel="from the true DOS", ylabel="from the predicted DOS")
            axes.set_title(axes.get_title("left"), fontsize=9)
