"""The results at a glance: one line each, model beside baselines."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stages.report.formatting import DIRECTIONS, MISSING, number, percent
from stages.report.page import Table
from stages.shared.params import TargetParams
from stages.shared.text_files import read_json

Metrics = dict[str, Any]


def summary_table(targets: Mapping[str, TargetParams], kinds: Iterable[str]) -> Table:
    """Return a row per result; a dash stands for what is missing or does not apply."""
    rows = []
    for target, setting in targets.items():
        scores = _test_scores(Path(f"metrics/fusion/{target}.json"))
        cells = [number(scores.get(f"{name}_mae")) for name in ("fused", "mean_baseline", "composition_forest")]
        rows.append([setting.label, f"MAE, {setting.unit}", *cells])
    for kind in kinds:
        scores = _test_scores(Path(f"metrics/dos/{kind}.json"))
        cells = [number(scores.get(f"{name}_r2")) for name in ("predicted", "mean_baseline", "composition_forest")]
        rows.append([f"{kind.capitalize()} DOS", "R²", *cells])
    zero_shot = Path("metrics/zero_shot.json")
    main = read_json(zero_shot)["main"] if zero_shot.exists() else {}
    for direction, label in DIRECTIONS.items():
        scores = main.get(direction, {})
        cells = [percent(scores.get("top_1")), percent(scores.get("top_1_chance")), MISSING]
        rows.append([label, "top-1", *cells])
    header = ["test split", "score", "model", "trivial or chance", "composition only"]
    return Table(
        "Results at a glance; MAE is a mean absolute error, lower is better, of R² and top-1 higher is better",
        header,
        rows,
        n_text=2,
    )


def _test_scores(path: Path) -> Metrics:
    scores: Metrics = read_json(path)["test"] if path.exists() else {}
    return scores
