"""The figure that compares the encoders: a panel for each task."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stages.ablation.encoder_scores import Scores
from stages.ablation.panels import N_COLUMNS, Panel, panels
from stages.shared.figures import BLACK, BLUE, ORANGE, drawing
from stages.shared.params import TargetParams

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_encoders(
    path: Path, table: Mapping[str, Scores], targets: Mapping[str, TargetParams], kinds: Iterable[str]
) -> None:
    """Draw every score of every encoder with its 95 % interval, beside what is trivial.

    Args:
        path: the PNG to write.
        table: scores by name of the encoder.
        targets: label and unit of the scalar properties.
        kinds: of densities of states.
    """
    tasks = panels(targets, kinds)
    names = sorted(table, reverse=True)  # the first at the top
    n_rows = -(-len(tasks) // N_COLUMNS)
    with drawing(path, 7.4, 0.6 + n_rows * (0.85 + 0.28 * len(names))) as figure:
        grid = figure.subplots(n_rows, N_COLUMNS, squeeze=False, sharey=True).flatten()
        for axes, task in zip(grid, tasks, strict=False):
            _draw_panel(axes, task, [table[name] for name in names])
        for axes in grid[len(tasks) :]:
            axes.set_axis_off()
        grid[0].set_yticks(range(len(names)), names)
        grid[0].set_ylim(-0.5, len(names) - 0.5)
        handles = [
            grid[0].plot([], [], "o-", color=BLUE, markersize=7, label="model, 95 % interval")[0],
            grid[0].plot([], [], "s", color=ORANGE, markersize=5, label="structure branch alone")[0],
            grid[0].plot([], [], "--", color=BLACK, linewidth=1.2, label="mean of the train split, or chance")[0],
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=3)


def _draw_panel(axes: "Axes", panel: Panel, table: Sequence[Scores]) -> None:
    """Draw one task; a score that is null is left out."""
    section, task = panel.task
    for place, encoder in enumerate(table):
        scores = encoder[section][task]
        low, high = scores[f"{panel.score}_low"], scores[f"{panel.score}_high"]
        if low is not None and high is not None:
            axes.plot([low, high], [place] * 2, color=BLUE, linewidth=2.2, alpha=0.45)
        for key, marker, color, size in ((panel.alone, "s", ORANGE, 5), (panel.score, "o", BLUE, 7)):
            value = scores.get(key)
            if value is not None:
                axes.plot(value, place, marker, color=color, markersize=size)
        trivial = scores[panel.trivial]
        if trivial is not None:
            axes.plot([trivial] * 2, [place - 0.5, place + 0.5], "--", color=BLACK, linewidth=1.2)
    axes.set_title(panel.title)
    axes.set_xlabel(panel.axis)
    axes.grid(visible=False, axis="y")
    if panel.axis != "R²":
        axes.set_xlim(left=0.0)
