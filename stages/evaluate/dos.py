"""`python -m stages.evaluate.dos <kind>`: metrics and example plots of one kind of density of states."""

from pathlib import Path

import numpy as np

from stages.evaluate.charts import Quantities, draw_examples
from stages.evaluate.dos_scores import choose_examples, dos_metrics
from stages.evaluate.dos_tables import write_errors, write_examples
from stages.evaluate.predictions import (
    SCORED_SPLITS,
    as_spectra,
    baseline_predictions,
    load_predictions,
    setting_from_command_line,
)
from stages.evaluate.spectra_metrics import spectra_errors
from stages.evaluate.training import evaluate_training
from stages.shared.errors import run_stage
from stages.shared.params import load_params
from stages.shared.tables import write_json


def main() -> None:
    """Score the predictions of the kind named on the command line."""
    params = load_params("dos_kinds", "evaluate")
    kind, setting = setting_from_command_line(params.dos_kinds, "kind of DOS")
    grid = np.linspace(setting.minimum, setting.maximum, setting.bins)
    axis = "energy" if setting.unit == "eV" else "frequency"

    table = load_predictions(Path(f"data/predictions/dos/{kind}.parquet"), Path("data/crystals.parquet"))
    split = table["split"].to_numpy()
    true = as_spectra(table["true"], setting.bins)
    predictions = {name: as_spectra(table[name], setting.bins) for name in ("predicted", "predicted_global")}
    predictions |= baseline_predictions(table["formula"], true, split == "train", params.evaluate)

    metrics = {
        name: dos_metrics(
            true[split == name],
            {key: spectra[split == name] for key, spectra in predictions.items()},
            grid,
            params.evaluate.bootstrap_samples,
            params.evaluate.seed,
        )
        for name in SCORED_SPLITS
    }
    write_json(Path(f"metrics/dos/{kind}.json"), metrics)

    test = table[split == "test"]
    test_true, test_predicted = true[split == "test"], predictions["predicted"][split == "test"]
    errors = spectra_errors(test_true, test_predicted, grid)
    examples = choose_examples(test["formula"].tolist(), test_true, test_predicted, errors)
    write_errors(Path(f"plots/dos/{kind}_errors.csv"), test["material_id"].tolist(), errors)
    write_examples(Path(f"plots/dos/{kind}_examples.csv"), axis, grid, examples)
    draw_examples(Path(f"plots/dos/{kind}_examples.png"), kind, axis, setting.unit, grid, examples)
    losses = Quantities("weighted sum of the branches' RMSE (peak = 1)", "MAE, told the crystal system (peak = 1)")
    evaluate_training(f"dos/{kind}", f"{kind} DOS", losses)


if __name__ == "__main__":
    run_stage(main)
