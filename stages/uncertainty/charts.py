"""The figure of the uncertainties: what error is left when the doubtful crystals are taken away."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from models.uncertainty import sparsification
from stages.shared.figures import BLACK, BLUE, ORANGE, drawing
from stages.uncertainty.scores import Answers

COLORS = {"ensemble": BLUE, "dropout": ORANGE}


def draw_sparsification(path: Path, methods: Mapping[str, Answers], kind: str) -> None:
    """Draw for each method the error of the crystals left, and dashed the best that its errors allow.

    Args:
        path: the PNG to write.
        methods: answers by the name of the method.
        kind: of the spectra.
    """
    with drawing(path, 6.2, 3.6) as figure:
        axes = figure.subplots()
        for name, answers in methods.items():
            error = answers.error
            share = np.arange(len(error)) / len(error)
            axes.plot(share, sparsification(error, answers.doubt), color=COLORS[name], label=name)
            axes.plot(share, sparsification(error, error), color=COLORS[name], linestyle="--", linewidth=1.2)
        axes.plot([], [], color=BLACK, linestyle="--", linewidth=1.2, label="taken away by the error itself")
        axes.set_xlabel("share of test crystals taken away, most doubtful first")
        axes.set_ylabel("RMSE of the others")
        axes.set_ylim(bottom=0)
        axes.set_title(f"{kind.capitalize()} DOS")
        axes.legend()
