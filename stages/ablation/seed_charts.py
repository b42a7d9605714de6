"""The figure that shows how far the seeds lie apart: a panel for each task."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.ablation.panels import N_COLUMNS, Panel, panels
from stages.shared.figures import BLACK, BLUE, ORANGE, drawing, write_message
from stages.shared.params import TargetParams

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_seeds(path: Path, table: Mapping[str, Any], targets: Mapping[str, TargetParams], kinds: Iterable[str]) -> None:
    """Draw the score of each seed as a point and their mean as a line, beside what is trivial and the forest.

    Args:
        path: the PNG to write.
        table: as `seed_table` returns it.
        targets: label and unit of the scalar properties.
        kinds: of densities of states.
    """
    tasks = panels(targets, kinds)
    n_rows = -(-len(tasks) // N_COLUMNS)
    with drawing(path, 7.4, 0.7 + 1.1 * n_rows) as figure:
        grid = figure.subplots(n_rows, N_COLUMNS, squeeze=False).flatten()
        for axes, task in zip(grid, tasks, strict=False):
            section, name = task.task
            _draw_panel(axes, task, table[section][name])
        for axes in grid[len(tasks) :]:
            axes.set_axis_off()
        handles = [
            grid[0].plot([], [], "o", color=BLUE, markersize=7, alpha=0.6, label="one seed")[0],
            grid[0].plot([], [], "|", color=BLUE, markersize=16, markeredgewidth=2, label="their mean")[0],
            grid[0].plot([], [], "-", color=ORANGE, label="composition-only forest")[0],
            grid[0].plot([], [], "--", color=BLACK, linewidth=1.2, label="mean of the train split, or chance")[0],
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=4, columnspacing=1.2, handletextpad=0.5)


def _draw_panel(axes: "Axes", panel: Panel, scores: Mapping[str, Any]) -> None:
    axes.set_title(panel.title)
    if scores[f"{panel.score}_mean"] is None:
        write_message(axes, "not defined on this test split")
        return
    if scores[panel.trivial] is not None:
        axes.axvline(scores[panel.trivial], linestyle="--", color=BLACK, linewidth=1.2)
    if panel.forest and scores[panel.forest] is not None:
        axes.axvline(scores[panel.forest], color=ORANGE)
    values = scores[panel.score]
    axes.plot(values, [0.0] * len(values), "o", color=BLUE, markersize=7, alpha=0.6)
    axes.plot(scores[f"{panel.score}_mean"], 0.0, "|", color=BLUE, markersize=24, markeredgewidth=2)
    axes.set_ylim(-1.0, 1.0)
    axes.set_yticks([])
    axes.set_xlabel(panel.axis)
    axes.grid(visible=False, axis="y")
    if panel.axis != "R²":
        axes.set_xlim(left=0.0)
