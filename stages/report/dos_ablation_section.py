"""The section on the DOS transformer as published and as corrected, where somebody has compared them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.report.formatting import count, each, number, plus_minus
from stages.report.page import Figure, Section, Table, Verdict
from stages.shared.text_files import read_json

Scores = Mapping[str, Any]

PATH = Path("metrics/ablation/dos.json")
FIGURE = Path("plots/ablation/dos.png")
CONFIGURATIONS = {"corrected": "corrected, the default", "published": "as published"}


def dos_ablation_sections(kinds: Iterable[str]) -> list[Section]:
    """Tell what the corrections of the DOS transformer are worth; no section where that is not known.

    Args:
        kinds: of densities of states, in the order of the page.
    """
    if not PATH.exists():
        return []
    table = read_json(PATH)
    compared = [kind for kind in kinds if kind in table]
    rows: list[Sequence[str]] = []
    for kind in compared:
        for name, label in CONFIGURATIONS.items():
            scores = table[kind][name]
            rows.append(
                [
                    f"{kind} DOS, {label}",
                    f"{table[kind]['n']:,}",
                    plus_minus(scores["r2_mean"], scores["r2_std"]),
                    plus_minus(scores["mae_mean"], scores["mae_std"]),
                    each(scores["r2"], number),
                    each(scores["mae"], number),
                ]
            )
    paragraphs = [
        "The DOS transformer was trained as it was published and as it is corrected here: on the same split, for the "
        "same number of epochs, with several seeds each. The numbers behind ± are standard deviations over the seeds."
    ]
    header = ["model", "test crystals", "R²", "MAE", "R² of each seed", "MAE of each seed"]
    tables = [Table("Scores on the test split, mean ± standard deviation over the seeds", header, rows)]
    figures = [
        Figure(FIGURE, "R² and mean absolute error of the corrected and of the published model, a dot for each seed")
    ]
    verdicts = [dos_ablation_verdict(kind, table[kind]) for kind in compared]
    return [
        Section("dos-published", "The DOS transformer, published and corrected", paragraphs, verdicts, figures, tables)
    ]


def dos_ablation_verdict(kind: str, scores: Scores) -> Verdict:
    """Say of one kind whether the corrected model has the better mean in both R² and mean absolute error."""
    corrected, published = scores["corrected"], scores["published"]
    if any(one[f"{name}_mean"] is None for one in (corrected, published) for name in ("r2", "mae")):
        return Verdict(None, f"On the {kind} DOS the two could not be compared.")
    better_r2 = corrected["r2_mean"] > published["r2_mean"]
    better_mae = corrected["mae_mean"] < published["mae_mean"]
    words = {
        (True, True): "beats the published one in R² and in mean absolute error",
        (True, False): "beats the published one in R² but not in mean absolute error",
        (False, True): "beats the published one in mean absolute error but not in R²",
        (False, False): "does not beat the published one",
    }[better_r2, better_mae]
    r2, mae = (
        f"{number(corrected[f'{name}_mean'])} against {number(published[f'{name}_mean'])}" for name in ("r2", "mae")
    )
    seeds = count(len(corrected["seeds"]), "seed")
    sentence = f"On the {kind} DOS the corrected model {words}: R² {r2}, error {mae}, means of {seeds}."
    return Verdict(better_r2 and better_mae, sentence)
