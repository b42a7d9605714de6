"""The figure of the learning curves."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.shared.figures import BLUE, GREY, ORANGE, drawing
from stages.transfer.starts import DENOISING, SCRATCH

LABELS = {SCRATCH: "random weights", DENOISING: "structures without labels"}
COLORS = {SCRATCH: GREY, DENOISING: ORANGE}


def draw_curves(path: Path, scores: Mapping[str, Sequence[Mapping[str, Any]]], kind: str) -> None:
    """Draw R² on test against the number of labels: the mean of the seeds, and a dot for each.

    Args:
        path: the PNG to write.
        scores: of `curve_scores`.
        kind: of the spectra.
    """
    with drawing(path, 6.2, 3.8) as figure:
        axes = figure.subplots()
        for start, entries in scores.items():
            color, label = COLORS.get(start, BLUE), LABELS.get(start, start.replace("_dos", " DOS"))
            labels = [entry["n_labels"] for entry in entries]
            axes.plot(labels, [entry["r2"] for entry in entries], color=color, label=f"from {label}")
            for n_labels, entry in zip(labels, entries, strict=True):
                each = entry["r2_of_each_seed"]
                axes.plot([n_labels] * len(each), each, "o", color=color, markersize=3.5, alpha=0.6)
        axes.set_xscale("log")
        sizes = sorted({entry["n_labels"] for entries in scores.values() for entry in entries})
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.set_xticks([], minor=True)
        axes.set_xlabel("crystals with a label")
        axes.set_ylabel("R², test crystals")
        axes.set_title(f"{kind.capitalize()} DOS")
        axes.legend()
