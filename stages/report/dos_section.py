"""The section on one kind of density of states."""

from collections.abc import Mapping
from pathlib import Path

from stages.report.dos_sentences import (
    NETWORKS,
    dos_sentence,
    dos_verdicts,
    networks_sentence,
    recipe_sentence,
    sum_rule_sentence,
)
from stages.report.dos_tables import DOS_ROWS, downstream_table, physics_table, system_table
from stages.report.formatting import number
from stages.report.model_parts import FAIL_RATE, Metrics, scores_table, training_figure
from stages.report.page import Figure, Section, Table, missing_section
from stages.report.worst import Crystal, columns, worst
from stages.shared.params import DosKindParams
from stages.shared.text_files import read_csv, read_json


def dos_section(kind: str, setting: DosKindParams, temperature: float, crystals: Mapping[str, Crystal]) -> Section:
    """Tell how well one kind of density of states is predicted, what follows from it, and where it is worst.

    Args:
        kind: `phonon` or `electron`.
        setting: unit and normalisation of the spectra.
        temperature: K, at which heat capacity, entropy and free energy are given.
        crystals: by material_id.
    """
    key, heading, path = f"dos-{kind}", f"{kind.capitalize()} density of states", Path(f"metrics/dos/{kind}.json")
    if not path.exists():
        return missing_section(key, heading, path)
    metrics = read_json(path)
    test = metrics["test"]
    if test["n"] == 0:
        return Section(key, heading, [f"No test crystal has a known {kind} density of states."])
    paragraphs = [dos_sentence(test, setting), recipe_sentence(setting)]
    if any(f"{name}_r2" in test for name in NETWORKS):
        paragraphs.append(networks_sentence())
    if "sum_rule" in test:
        paragraphs.append(sum_rule_sentence(test["sum_rule"]))
    headers = {"r2": "R²", "mae": "MAE", "mse": "MSE", "rmse": "RMSE", "wasserstein": f"Wasserstein ({setting.unit})"}
    tables = [scores_table(metrics, DOS_ROWS, headers | {FAIL_RATE: "fail rate"})]
    tables.append(physics_table(test["physics"], temperature))
    downstream = Path(f"metrics/dos_downstream/{kind}.json")
    if not downstream.exists():
        paragraphs.append(f"What else the spectra tell is not known: {downstream} is missing. `dvc repro` makes it.")
    elif properties := read_json(downstream):
        tables.append(downstream_table(properties))
    tables += [_worst_table(kind, crystals), system_table(test["by_crystal_system"], setting.unit)]
    return Section(key, heading, paragraphs, dos_verdicts(test), _figures(kind, heading, test), tables)


def _figures(kind: str, heading: str, test: Metrics) -> list[Figure]:
    plot = f"plots/dos/{kind}"
    examples = Figure(
        Path(f"{plot}_examples.png"),
        f"True and predicted {kind} density of states of the best, the median and the worst test crystal by R²; "
        f"the median is {number(test['predicted_r2_median'])}.",
    )
    gallery = Figure(
        Path(f"{plot}_gallery.png"),
        f"True and predicted {kind} density of states of the best, the median and the worst test crystal of each "
        f"crystal system: {', '.join(test['by_crystal_system'])}.",
    )
    physics = Figure(
        Path(f"{plot}_physics.png"),
        f"What follows from the predicted {kind} density of states against what follows from the true one, a dot for "
        "each test crystal; the table of quantities has the mean absolute errors.",
    )
    return [examples, gallery, physics, training_figure(f"dos/{kind}", heading)]


def _worst_table(kind: str, crystals: Mapping[str, Crystal]) -> Table:
    errors = read_csv(Path(f"plots/dos/{kind}_errors.csv"))
    r2, mae = columns(errors, "r2"), columns(errors, "mae")
    rows = [
        (crystals[one].formula, one, number(r2[one]), number(mae[one]))
        for one in worst({material_id: -value for material_id, value in r2.items()})
    ]
    header = ["formula", "material_id", "R²", "MAE"]
    return Table("The test crystals with the lowest R²", header, rows, n_text=2)
