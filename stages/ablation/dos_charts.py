"""The figure that compares the DOS transformer with the published configuration: a row of panels for each kind."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from stages.ablation.dos_scores import MODELS, KindTable
from stages.shared.figures import BLACK, BLUE, ORANGE, drawing, write_message

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AXES = {"r2": "R², higher is better", "mae": "MAE (peak = 1), lower is better"}
COLORS = dict(zip(MODELS, (BLUE, ORANGE), strict=True))


def draw_dos(path: Path, table: Mapping[str, KindTable]) -> None:
    """Draw the score of each seed as a point and the mean of a model as a line.

    Args:
        path: the PNG to write.
        table: as `dos_table` returns it.
    """
    with drawing(path, 7.4, 0.5 + 1.5 * len(table)) as figure:
        grid = figure.subplots(len(table), len(AXES), squeeze=False)
        for row, (kind, scores) in zip(grid, table.items(), strict=True):
            for axes, score in zip(row, AXES, strict=True):
                axes.set_title(f"{kind.capitalize()} DOS, {scores['n']} test crystals")
                _draw_panel(axes, scores, score)
        handles = [
            grid[0][0].plot([], [], "o", color=BLACK, markersize=7, alpha=0.6, label="one seed")[0],
            grid[0][0].plot([], [], "|", color=BLACK, markersize=20, markeredgewidth=2, label="mean of the seeds")[0],
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=2)


def _draw_panel(axes: "Axes", scores: KindTable, score: str) -> None:
    """Draw one score of one kind, the corrected model at the top."""
    if any(scores[model][f"{score}_mean"] is None for model in MODELS):
        write_message(axes, "not defined on this test split")
        return
    for place, model in enumerate(reversed(MODELS)):
        values, color = scores[model][score], COLORS[model]
        axes.plot(values, [place] * len(values), "o", color=color, markersize=7, alpha=0.6)
        axes.plot(scores[model][f"{score}_mean"], place, "|", color=color, markersize=26, markeredgewidth=2)
    axes.set_yticks(range(len(MODELS)), list(reversed(MODELS)))
    axes.set_ylim(-0.6, len(MODELS) - 0.4)
    axes.set_xlabel(AXES[score])
    axes.grid(visible=False, axis="y")
