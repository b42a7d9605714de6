"""What a fusion run leaves behind."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from stages.fusion.dataset import LabelledCrystals
from stages.shared.checkpoint import TrainingState
from stages.shared.schemas import FUSION_PREDICTIONS_SCHEMA
from stages.shared.tables import write_table
from stages.shared.training import write_history
from stages.shared.weights import save_weights


def write_predictions(data: Path, target: str, examples: LabelledCrystals, predicted: Mapping[str, np.ndarray]) -> None:
    """Write one row per labelled crystal of any split, sorted by material_id, values in the target's unit."""
    material_ids = examples.graphs.material_ids.to_pylist()
    order = sorted(range(len(examples)), key=lambda row: material_ids[row])
    columns = {
        "material_id": [material_ids[row] for row in order],
        "split": examples.graphs.splits[order],
        "true": examples.values[order, 0],
        **{branch: values[order] for branch, values in predicted.items()},
    }
    write_table(_table(data, target), columns, FUSION_PREDICTIONS_SCHEMA)


def write_untrained(data: Path, target: str) -> None:
    """Write the outputs of a run that had nothing to learn from: no weights, no history, no predictions."""
    save_weights(data / "weights/fusion" / target, {}, {})
    write_history(data / f"logs/fusion/{target}.csv", TrainingState())
    nothing: dict[str, list[object]] = {name: [] for name in FUSION_PREDICTIONS_SCHEMA.names}
    write_table(_table(data, target), nothing, FUSION_PREDICTIONS_SCHEMA)


def _table(data: Path, target: str) -> Path:
    return data / f"predictions/fusion/{target}.parquet"
