"""The section on several seeds, where somebody has trained with them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.report.formatting import DIRECTIONS, MISSING, count, each, number, percent, percent_plus_minus, plus_minus
from stages.report.page import Figure, Section, Table, Verdict
from stages.shared.params import TargetParams
from stages.shared.text_files import read_json

Scores = Mapping[str, Any]

PATH = Path("metrics/ablation/seeds.json")
FIGURE = Path("plots/ablation/seeds.png")


def seed_sections(targets: Mapping[str, TargetParams], kinds: Iterable[str]) -> list[Section]:
    """Tell how much of each score is chance; no section where that is not known.

    Args:
        targets: label and unit of the scalar properties.
        kinds: of densities of states, in the order of the page.
    """
    if not PATH.exists():
        return []
    table = read_json(PATH)
    rows: list[Sequence[str]] = []
    verdicts = []
    for target, setting in targets.items():
        if scores := table["fusion"].get(target):
            rows.append(_row(f"{setting.label}, MAE ({setting.unit})", scores, "fused_mae", "mae"))
            verdicts.append(seed_verdict(setting.label, "MAE", scores, "fused_mae", "mae"))
    for kind in kinds:
        if scores := table["dos"].get(kind):
            name = f"{kind.capitalize()} DOS"
            rows += [_row(f"{name}, R²", scores, "predicted_r2", "r2")]
            rows += [_row(f"{name}, MAE", scores, "predicted_mae", "mae")]
            verdicts.append(seed_verdict(name, "R²", scores, "predicted_r2", "r2"))
    for direction, label in DIRECTIONS.items():
        scores = table["retrieval"][direction]
        mean = percent_plus_minus(scores["top_1_mean"], scores["top_1_std"])
        chance = percent(scores["top_1_chance"])
        rows.append([f"{label}, top-1", mean, each(scores["top_1"], percent), chance, MISSING])
    n_seeds = len(table["seeds"])
    paragraphs = [
        f"Pretraining, fusion and DOS models were trained with {count(n_seeds, 'seed')}, all else being equal. The "
        "numbers behind ± are standard deviations over the seeds; what differs by less may be chance."
    ]
    header = ["score", "mean ± deviation", "each seed", "mean or chance", "composition only"]
    tables = [Table("Scores on the test split, which `make seeds` collected", header, rows)]
    figures = [Figure(FIGURE, "The scores on every task, a dot for each seed, beside mean or chance and the forest")]
    return [Section("seeds", "How much is chance", paragraphs, verdicts, figures, tables)]


def seed_verdict(name: str, label: str, scores: Scores, score: str, kind: str) -> Verdict:
    """Say with how many seeds the model beats the composition-only forest: yes means with all, no means with none.

    Args:
        name: of the task.
        label: of the score.
        scores: of one task.
        score: the model's.
        kind: `r2` where higher is better, `mae` where lower is.
    """
    values, forest = scores[score], scores[f"composition_forest_{kind}"]
    if forest is None or any(value is None for value in values):
        return Verdict(None, f"{name}: the forest and the seeds could not be compared.")
    better = sum(value > forest if kind == "r2" else value < forest for value in values)
    mean = plus_minus(scores[f"{score}_mean"], scores[f"{score}_std"])
    sentence = (
        f"{name}: the model beats the composition-only forest with {better} of {count(len(values), 'seed')}, {label} "
        f"{mean} against {number(forest)}."
    )
    return Verdict({len(values): True, 0: False}.get(better), sentence)


def _row(label: str, scores: Scores, score: str, kind: str) -> list[str]:
    return [
        label,
        plus_minus(scores[f"{score}_mean"], scores[f"{score}_std"]),
        each(scores[score], number),
        number(scores[f"mean_baseline_{kind}"]),
        number(scores[f"composition_forest_{kind}"]),
    ]
