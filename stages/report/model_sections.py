"""The sections on pretraining and on scalar properties."""

from collections.abc import Mapping
from pathlib import Path

from stages.report.formatting import count, number
from stages.report.model_parts import scores_table, training_figure
from stages.report.page import Figure, Section, Table, missing_section
from stages.report.sentences import FOREST, MEAN, fusion_sentence, fusion_verdicts
from stages.report.worst import Crystal, by_crystal_system, columns, worst
from stages.shared.params import TargetParams
from stages.shared.text_files import read_csv, read_json

FUSION_ROWS = {
    "fused": "structure and text, fused",
    "structure": "structure branch alone",
    "text": "text branch alone",
    "composition_forest": FOREST.removeprefix("the "),
    "mean_baseline": MEAN.removeprefix("the "),
}


def pretrain_section() -> Section:
    """Tell how the contrastive training went."""
    heading, path = "Contrastive pretraining", Path("metrics/pretrain.json")
    if not path.exists():
        return missing_section("pretrain", heading, path)
    metrics = read_json(path)
    if metrics["best_epoch"] is None:
        course = f"It ran for {count(metrics['epochs'], 'epoch')}; there was no validation split to judge it by."
    elif metrics.get("final_averaged_steps"):
        course = (
            f"It ran for {count(metrics['epochs'], 'epoch')}; the average of the weights after each of the last "
            f"{count(round(metrics['final_averaged_steps']), 'step')} is kept, with a validation loss of "
            f"{number(metrics['best_val_loss'])}."
        )
    else:
        course = (
            f"It ran for {count(metrics['epochs'], 'epoch')}; the weights of epoch {metrics['best_epoch']} are kept, "
            f"which had the lowest validation loss, {number(metrics['best_val_loss'])}."
        )
    paragraphs = [
        "A graph tower and a text tower learn to put a crystal and its text close together, and other pairs apart. "
        + course
    ]
    return Section("pretrain", heading, paragraphs, figures=[training_figure("pretrain", heading)])


def fusion_section(target: str, setting: TargetParams, crystals: Mapping[str, Crystal]) -> Section:
    """Tell how well one scalar property is predicted, and where worst."""
    key, path = f"fusion-{target}", Path(f"metrics/fusion/{target}.json")
    if not path.exists():
        return missing_section(key, setting.label, path)
    metrics, unit = read_json(path), setting.unit
    if metrics["test"]["n"] == 0:
        return Section(key, setting.label, [f"No test crystal has a known {setting.label.lower()}."])
    rows = read_csv(Path(f"plots/fusion/{target}_parity.csv"))
    true, predicted = columns(rows, "true"), columns(rows, "predicted")
    errors = {material_id: abs(predicted[material_id] - true[material_id]) for material_id in true}
    parity = Figure(
        Path(f"plots/fusion/{target}_parity.png"),
        f"Predicted against true {setting.label.lower()} of the test crystals for the fused model and for each branch "
        f"alone; the fused model has a mean absolute error of {number(metrics['test']['fused_mae'], unit)}.",
    )
    worst_rows = [
        (crystals[one].formula, one, number(true[one]), number(predicted[one]), number(errors[one]))
        for one in worst(errors)
    ]
    return Section(
        key,
        setting.label,
        [fusion_sentence(metrics["test"], unit)],
        fusion_verdicts(metrics["test"], unit),
        [parity, training_figure(f"fusion/{target}", setting.label)],
        [
            scores_table(metrics, FUSION_ROWS, {"mae": f"MAE ({unit})", "rmse": f"RMSE ({unit})", "r2": "R²"}),
            Table(
                "The test crystals with the largest error",
                ["formula", "material_id", f"true ({unit})", f"predicted ({unit})", f"error ({unit})"],
                worst_rows,
                n_text=2,
            ),
            _system_table(errors, crystals, f"mean error ({unit})"),
        ],
    )


def _system_table(errors: Mapping[str, float], crystals: Mapping[str, Crystal], header: str) -> Table:
    rows = [(system, str(n), number(error)) for system, n, error in by_crystal_system(errors, crystals)]
    return Table("By crystal system, on the test split", ["crystal system", "crystals", header], rows)
