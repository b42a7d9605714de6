"""`python -m stages.evaluate.fusion <target>`: metrics and parity plot of one scalar property."""

from pathlib import Path

from stages.evaluate.charts import Quantities, draw_parity
from stages.evaluate.fusion_scores import fusion_metrics
from stages.evaluate.predictions import (
    SCORED_SPLITS,
    baseline_predictions,
    load_predictions,
    setting_from_command_line,
)
from stages.evaluate.training import evaluate_training
from stages.shared.errors import run_stage
from stages.shared.params import load_params
from stages.shared.text_files import write_csv, write_json

BRANCHES = ("fused", "structure", "text")


def main() -> None:
    """Score the predictions of the target named on the command line."""
    params = load_params("targets", "evaluate")
    target, setting = setting_from_command_line(params.targets, "target")

    table = load_predictions(Path(f"data/predictions/fusion/{target}.parquet"), Path("data/crystals.parquet"))
    table = table[table["true"].notna()]
    true = table["true"].to_numpy()
    split = table["split"].to_numpy()
    predictions = {branch: table[branch].to_numpy() for branch in BRANCHES}
    predictions |= baseline_predictions(table["formula"], true, split == "train", params.evaluate)

    metrics = {
        name: fusion_metrics(
            true[split == name],
            {key: values[split == name] for key, values in predictions.items()},
            params.evaluate.bootstrap_samples,
            params.evaluate.seed,
        )
        for name in SCORED_SPLITS
    }
    write_json(Path(f"metrics/fusion/{target}.json"), metrics)

    test = table[table["split"] == "test"]
    parity = Path(f"plots/fusion/{target}_parity")
    rows = test[["material_id", "true", "fused"]].itertuples(index=False)
    write_csv(parity.with_suffix(".csv"), ["material_id", "true", "predicted"], rows)
    branches = {branch: test[branch].to_numpy() for branch in BRANCHES}
    draw_parity(parity.with_suffix(".png"), setting.label, setting.unit, test["true"].to_numpy(), branches)
    losses = Quantities("joint loss of the branches on normalised targets", f"MAE of the fused branch ({setting.unit})")
    evaluate_training(f"fusion/{target}", setting.label, losses)


if __name__ == "__main__":
    run_stage(main)
