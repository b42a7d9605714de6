"""The figure of the campaigns: hits found against labels spent."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.active.campaign import RANDOM
from stages.active.candidates import UNITS
from stages.shared.figures import BLACK, BLUE, GREEN, GREY, ORANGE, drawing, write_message
from stages.shared.params import ObjectiveParams, WindowParams

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = {
    RANDOM: GREY,
    "probability": BLUE,
    "expected_improvement": ORANGE,
    "upper_confidence_bound": GREEN,
}


def draw_campaigns(path: Path, scores: Mapping[str, Mapping[str, Any]], objectives: Sequence[ObjectiveParams]) -> None:
    """Draw for each objective the mean hits after every round, with a band from the worst to the best campaign.

    Args:
        path: the PNG to write.
        scores: of `campaign_scores`.
        objectives: in the order of the panels.
    """
    with drawing(path, 7.4, 0.5 + 2.9 * len(objectives)) as figure:
        for axes, objective in zip(figure.subplots(len(objectives), 1, squeeze=False)[:, 0], objectives, strict=True):
            axes.set_title(_title(objective))
            _draw_panel(axes, scores[objective.name])


def _draw_panel(axes: "Axes", score: Mapping[str, Any]) -> None:
    if not score["acquisitions"]:
        write_message(axes, f"no campaign: {score['n_hits']} hits among {score['n_candidates']} known crystals")
        return
    labels = np.array(score["n_labels_after_round"])
    for name, numbers in score["acquisitions"].items():
        lowest, highest = numbers["hits_after_round_lowest"], numbers["hits_after_round_highest"]
        axes.fill_between(labels, lowest, highest, color=COLORS[name], alpha=0.15, linewidth=0)
        axes.plot(labels, numbers["hits_after_round"], color=COLORS[name], label=name.replace("_", " "))
    at_best = np.minimum(score["acquisitions"][RANDOM]["hits_after_round"][0] + labels - labels[0], score["n_hits"])
    axes.plot(labels, at_best, color=BLACK, linestyle="--", linewidth=1.2, label="every choice a hit")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(f"crystals labelled, of {score['n_candidates']}")
    axes.set_ylabel("hits found")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _title(objective: ObjectiveParams) -> str:
    windows = ", ".join(_window_text(window) for window in objective.windows)
    return f"{objective.name.replace('_', ' ').capitalize()}: {windows}"


def _window_text(window: WindowParams) -> str:
    name, unit = window.property.replace("_", " "), UNITS[window.property]
    if window.low is None:
        return f"{name} ≤ {window.high:g} {unit}"
    if window.high is None:
        return f"{name} ≥ {window.low:g} {unit}"
    return f"{name} {window.low:g}–{window.high:g} {unit}"
