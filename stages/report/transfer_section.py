"""The sections on transfer: what the DOS transformer gains from other data when labels are few, where measured."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.report.formatting import count, number
from stages.report.page import Figure, Section, Table
from stages.shared.text_files import read_json

STARTS = {"scratch": "random weights", "denoising": "structures without labels"}
WAYS = {
    "untuned": "not tuned",
    "prompt": "prompt and output tuned",
    "everything": "all weights tuned",
    "shots_only": "trained on these crystals alone",
}


def transfer_sections(kinds: Iterable[str]) -> list[Section]:
    """Tell what pretraining and few-shot tuning are worth; no section for a kind where that is not known.

    Args:
        kinds: of densities of states, in the order of the page.
    """
    paths = {kind: Path(f"metrics/transfer/{kind}.json") for kind in kinds}
    return [_section(kind, read_json(path)) for kind, path in paths.items() if path.exists()]


def _section(kind: str, metrics: Mapping[str, Any]) -> Section:
    heading = f"Few labels, {kind} DOS"
    paragraphs = [
        f"The model for the {kind} DOS was trained with a part of the labels, its graph encoder starting from random "
        "weights, from what it learned on structures without labels, or from the spectra of the other kind. Every run "
        "takes the same number of steps."
    ]
    tables = [_curves_table(metrics["learning_curves"])]
    few_shot = metrics["few_shot"]
    if few_shot["scores"] is None:
        paragraphs.append(f"There are too few {few_shot['system']} crystals to learn them as a new crystal system.")
    else:
        tables.append(_few_shot_table(few_shot))
    figure = Figure(
        Path(f"plots/transfer/{kind}.png"),
        f"R² of the predicted {kind} DOS on the test crystals against the number of crystals with a label, a line for "
        "each start.",
    )
    return Section(f"transfer-{kind}", heading, paragraphs, figures=[figure], tables=tables)


def _curves_table(curves: Mapping[str, Sequence[Mapping[str, Any]]]) -> Table:
    """Put the R² of all starts beside each other, a row for each number of labels."""
    r2 = {start: {entry["n_labels"]: entry["r2"] for entry in entries} for start, entries in curves.items()}
    sizes = sorted({size for scores in r2.values() for size in scores})
    rows = [[f"{size:,}", *(number(scores.get(size)) for scores in r2.values())] for size in sizes]
    header = ["crystals with a label", *(STARTS.get(start, start.replace("_dos", " DOS")) for start in curves)]
    caption = "R² on the test split by where the graph encoder started from, means of the seeds"
    return Table(caption, header, rows, n_text=0)


def _few_shot_table(few_shot: Mapping[str, Any]) -> Table:
    scores = few_shot["scores"]
    rows = [[label, number(scores[way]["r2"]), number(scores[way]["mae"])] for way, label in WAYS.items()]
    caption = (
        f"A new crystal system: trained without {few_shot['system']} crystals, tuned with "
        f"{few_shot['n_shots']:,} of them, tested on {count(few_shot['n'], 'other')}; means of the seeds"
    )
    return Table(caption, ["model", "R²", "MAE"], rows)
