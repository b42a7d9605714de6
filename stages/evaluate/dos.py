"""`python -m stages.evaluate.dos <kind>`: metrics and example plots of one kind of density of states."""

from pathlib import Path

import numpy as np

from stages.evaluate.charts import Quantities
from stages.evaluate.dos_charts import axis_name, draw_examples, draw_gallery, draw_physics
from stages.evaluate.dos_physics import physical_quantities
from stages.evaluate.dos_predictions import load_spectra
from stages.evaluate.dos_scores import choose_examples, choose_gallery, split_metrics
from stages.evaluate.dos_tables import write_errors, write_examples, write_physics
from stages.evaluate.dos_thresholds import choose_thresholds
from stages.evaluate.predictions import SCORED_SPLITS, setting_from_command_line
from stages.evaluate.spectra_metrics import spectra_errors
from stages.evaluate.training import evaluate_training
from stages.shared.errors import run_stage
from stages.shared.params import load_params
from stages.shared.text_files import write_json


def main() -> None:
    """Score the predictions of the kind named on the command line."""
    params = load_params("dos_kinds", "evaluate")
    kind, setting = setting_from_command_line(params.dos_kinds, "kind of DOS")
    grid = np.linspace(setting.minimum, setting.maximum, setting.bins)
    spectra = load_spectra(kind, setting, params.evaluate)
    val, test, plot = spectra.of_split("val"), spectra.of_split("test"), f"plots/dos/{kind}"
    thresholds = choose_thresholds(val.true, val.predictions, val.known, grid, setting, params.evaluate)
    scores = {
        split: split_metrics(spectra.of_split(split), grid, setting, params.evaluate, thresholds)
        for split in SCORED_SPLITS
    }
    write_json(Path(f"metrics/dos/{kind}.json"), {**scores, "zero_thresholds": thresholds})

    errors = spectra_errors(test.true, test.predictions["predicted"], test.known, grid)
    examples, gallery = choose_examples(test, errors), choose_gallery(test, errors)
    quantities = physical_quantities(
        test.true, test.predictions, test.known, grid, setting, params.evaluate, thresholds
    )
    write_errors(Path(f"{plot}_errors.csv"), test.material_ids, errors)
    write_examples(Path(f"{plot}_examples.csv"), axis_name(setting), grid, examples)
    write_physics(Path(f"{plot}_physics.csv"), test.material_ids, quantities)
    draw_examples(Path(f"{plot}_examples.png"), kind, setting, grid, examples)
    draw_gallery(Path(f"{plot}_gallery.png"), kind, setting, grid, gallery)
    draw_physics(Path(f"{plot}_physics.png"), kind, quantities)
    losses = Quantities("weighted sum of the losses of both branches", "MAE, told the crystal system")
    evaluate_training(f"dos/{kind}", f"{kind} DOS", losses)


if __name__ == "__main__":
    run_stage(main)
