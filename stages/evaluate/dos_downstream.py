"""`python -m stages.evaluate.dos_downstream <kind>`: scalar properties from true and from predicted spectra."""

from pathlib import Path

from stages.evaluate.dos_baselines import network_predictions
from stages.evaluate.downstream import downstream_metrics, read_properties
from stages.evaluate.predictions import as_spectra, load_predictions, setting_from_command_line
from stages.shared.errors import run_stage
from stages.shared.params import load_params
from stages.shared.text_files import write_json

CRYSTALS = Path("data/crystals.parquet")


def main() -> None:
    """Fit a regressor on the true spectra of the train split and score what it makes of each kind of prediction."""
    params = load_params("dos_kinds", "evaluate")
    kind, setting = setting_from_command_line(params.dos_kinds, "kind of DOS")
    table = load_predictions(Path(f"data/predictions/dos/{kind}.parquet"), CRYSTALS)
    material_ids, splits = table["material_id"].tolist(), table["split"].to_numpy(dtype=object)
    spectra = {name: as_spectra(table[name], setting.bins) for name in ("true", "predicted", "predicted_global")}
    spectra |= network_predictions(Path(f"data/predictions/dos_baselines/{kind}.parquet"), material_ids, setting.bins)
    known = as_spectra(table["known"], setting.bins).astype(bool)

    seed = params.evaluate.seed
    metrics = {
        name: {"unit": one.unit, **downstream_metrics(one.values, splits, spectra, known, seed)}
        for name, one in read_properties(CRYSTALS, kind, material_ids).items()
    }
    write_json(Path(f"metrics/dos_downstream/{kind}.json"), metrics)


if __name__ == "__main__":
    run_stage(main)
