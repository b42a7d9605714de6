"""What the sections on trained models have in common: training curves and the table of scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.report.formatting import count, number, percent
from stages.report.page import Figure, Table

Metrics = dict[str, Any]

FAIL_RATE = "fail_rate"
"""The score that is a share of crystals."""


def training_figure(name: str, what: str) -> Figure:
    """Return the training curves of a run."""
    return Figure(
        Path(f"plots/training/{name}.png"),
        f"{what}: training and validation loss against the epoch.",
    )


def scores_table(metrics: Metrics, names: Mapping[str, str], scores: Mapping[str, str]) -> Table:
    """Put the predictions of a result below each other, test scores first, then the first score on val.

    Args:
        metrics: scores `<prediction>_<score>` on `test` and `val`; a prediction that is not there gets no row.
        names: label of each prediction.
        scores: header of each score.
    """
    first = next(iter(scores))
    rows: list[Sequence[str]] = [
        [
            label,
            *(_show(score, metrics["test"][f"{name}_{score}"]) for score in scores),
            _show(first, metrics["val"][f"{name}_{first}"]),
        ]
        for name, label in names.items()
        if f"{name}_{first}" in metrics["test"]
    ]
    caption = f"Scores on {count(metrics['test']['n'], 'test crystal')}; baselines are fitted on the same train split"
    return Table(caption, ["prediction", *scores.values(), f"{scores[first]} on val"], rows)


def _show(score: str, value: float | None) -> str:
    return percent(value) if score == FAIL_RATE else number(value)
