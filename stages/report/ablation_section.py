"""The section on graph encoders compared, where somebody has run the comparison."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.report.formatting import DIRECTIONS, MISSING, count, number, percent
from stages.report.page import Figure, Section, Table
from stages.shared.params import TargetParams
from stages.shared.text_files import read_json

Scores = Mapping[str, Any]

PATH = Path("metrics/ablation/encoders.json")
FIGURE = Path("plots/ablation/encoders.png")


def ablation_sections(targets: Mapping[str, TargetParams], kinds: Iterable[str]) -> list[Section]:
    """Tell how the graph encoders compare at the same settings; no section where that is not known."""
    if not PATH.exists():
        return []
    table = read_json(PATH)
    names = list(table)
    rows: list[Sequence[str]] = []
    for target, setting in targets.items():
        for score, words in (("fused_mae", "MAE"), ("structure_mae", "MAE of the structure branch alone")):
            label = f"{setting.label}, {words} ({setting.unit})"
            rows.append(_row(label, table, ("fusion", target), score, "mean_baseline_mae"))
    for kind in kinds:
        for score, words in (("r2", "R²"), ("mae", "MAE")):
            label = f"{kind.capitalize()} DOS, {words}"
            rows.append(_row(label, table, ("dos", kind), f"predicted_{score}", f"mean_baseline_{score}"))
    for direction, label in DIRECTIONS.items():
        rows.append(_row(f"{label}, top-1", table, ("retrieval", direction), "top_1", "top_1_chance"))
    paragraphs = [
        f"The whole pipeline was run once for each of {count(len(names), 'graph encoder')}, with the same data, seeds, "
        "number of epochs and other settings. The intervals in the figure show how "
        "much a score depends on the choice of test crystals; another seed would move it too."
    ]
    if any(name.startswith("precomputed") for name in names):
        paragraphs.append(
            "The model that made the precomputed embeddings was trained elsewhere, CHGNet for example on energies of "
            "Materials Project crystals. It may have seen the labels of test crystals, so its scores are no fair "
            "measure beside the others."
        )
    figure = Figure(
        FIGURE,
        f"Test scores of the encoders {', '.join(names)} on every task, with 95 % intervals, beside the mean of the "
        "train split or chance.",
    )
    caption = (
        "Scores on the test split, which `make ablation` collected; MAE is a mean absolute error, lower is better, "
        "of R² and top-1 higher is better"
    )
    scores = Table(caption, ["score", *names, "mean or chance"], rows)
    return [Section("encoders", "Graph encoders compared", paragraphs, figures=[figure], tables=[scores])]


def _row(label: str, table: Scores, task: tuple[str, str], score: str, trivial: str) -> list[str]:
    """Put one score of all encoders beside each other; a dash where an encoder was not tested on the task."""
    section, name = task
    show = percent if section == "retrieval" else number
    tested = {encoder: scores[section].get(name, {}) for encoder, scores in table.items()}
    known = sorted({scores[trivial] for scores in tested.values() if scores.get(trivial) is not None})
    # Encoders that reject different crystals are tested on different ones, and so is the baseline.
    baseline = " to ".join(dict.fromkeys((show(known[0]), show(known[-1])))) if known else MISSING
    return [label, *(show(scores.get(score)) for scores in tested.values()), baseline]
