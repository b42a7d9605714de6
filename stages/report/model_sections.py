"""The sections on trained models: pretraining, fusion targets and densities of states."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.report.formatting import count, number
from stages.report.page import Figure, Section, Table, missing_section
from stages.report.sentences import (
    FOREST,
    MEAN,
    MEAN_SPECTRUM,
    dos_sentence,
    dos_verdicts,
    fusion_sentence,
    fusion_verdicts,
)
from stages.report.worst import Crystal, by_crystal_system, columns, worst
from stages.shared.params import DosKindParams, TargetParams
from stages.shared.tables import read_csv, read_json

Metrics = dict[str, Any]

FUSION_ROWS = {
    "fused": "structure and text, fused",
    "structure": "structure branch alone",
    "text": "text branch alone",
    "composition_forest": FOREST.removeprefix("the "),
    "mean_baseline": MEAN.removeprefix("the "),
}
DOS_ROWS = {
    "predicted": "model, told the crystal system",
    "predicted_global": "model, not told",
    "composition_forest": FOREST.removeprefix("the "),
    "mean_baseline": MEAN_SPECTRUM.removeprefix("the "),
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
            _scores_table(metrics, FUSION_ROWS, {"mae": f"MAE ({unit})", "rmse": f"RMSE ({unit})", "r2": "R²"}),
            Table(
                "The test crystals with the largest error",
                ["formula", "material_id", f"true ({unit})", f"predicted ({unit})", f"error ({unit})"],
                worst_rows,
                n_text=2,
            ),
            _system_table(errors, crystals, f"mean error ({unit})"),
        ],
    )


def dos_section(kind: str, setting: DosKindParams, crystals: Mapping[str, Crystal]) -> Section:
    """Tell how well one kind of density of states is predicted, and where worst."""
    key, heading, path = f"dos-{kind}", f"{kind.capitalize()} density of states", Path(f"metrics/dos/{kind}.json")
    if not path.exists():
        return missing_section(key, heading, path)
    metrics = read_json(path)
    if metrics["test"]["n"] == 0:
        return Section(key, heading, [f"No test crystal has a known {kind} density of states."])
    rows = read_csv(Path(f"plots/dos/{kind}_errors.csv"))
    r2, mae = columns(rows, "r2"), columns(rows, "mae")
    examples = Figure(
        Path(f"plots/dos/{kind}_examples.png"),
        f"True and predicted {kind} density of states of the best, the median and the worst test crystal by R²; "
        f"the median is {number(metrics['test']['predicted_r2_median'])}.",
    )
    headers = {"r2": "R²", "mae": "MAE", "rmse": "RMSE", "wasserstein": f"Wasserstein ({setting.unit})"}
    worst_rows = [
        (crystals[one].formula, one, number(r2[one]), number(mae[one]))
        for one in worst({material_id: -value for material_id, value in r2.items()})
    ]
    return Section(
        key,
        heading,
        [dos_sentence(metrics["test"], setting.unit), "Every spectrum is divided by its highest peak."],
        dos_verdicts(metrics["test"]),
        [examples, training_figure(f"dos/{kind}", heading)],
        [
            _scores_table(metrics, DOS_ROWS, headers),
            Table(
                "The test crystals with the lowest R²", ["formula", "material_id", "R²", "MAE"], worst_rows, n_text=2
            ),
            _system_table(mae, crystals, "mean MAE"),
        ],
    )


def training_figure(name: str, what: str) -> Figure:
    """Return the training curves of a run."""
    return Figure(
        Path(f"plots/training/{name}.png"),
        f"{what}: training and validation loss against the epoch.",
    )


def _scores_table(metrics: Metrics, names: Mapping[str, str], scores: Mapping[str, str]) -> Table:
    """Put the predictions of a result below each other, test scores first, then the first score on val."""
    first = next(iter(scores))
    rows: list[Sequence[str]] = [
        [
            label,
            *(number(metrics["test"][f"{name}_{score}"]) for score in scores),
            number(metrics["val"][f"{name}_{first}"]),
        ]
        for name, label in names.items()
    ]
    caption = f"Scores on {count(metrics['test']['n'], 'test crystal')}; baselines are fitted on the same train split"
    return Table(caption, ["prediction", *scores.values(), f"{scores[first]} on val"], rows)


def _system_table(errors: Mapping[str, float], crystals: Mapping[str, Crystal], header: str) -> Table:
    rows = [(system, str(n), number(error)) for system, n, error in by_crystal_system(errors, crystals)]
    return Table("By crystal system, on the test split", ["crystal system", "crystals", header], rows)
