"""What a fusion run leaves behind."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from stages.fusion.dataset import LabelledCrystal
from stages.shared.checkpoint import TrainingState
from stages.shared.schemas import FUSION_PREDICTIONS_SCHEMA
from stages.shared.tables import write_table
from stages.shared.training import write_history
from stages.shared.weights import save_weights


def write_predictions(
    data: Path, target: str, examples: Sequence[LabelledCrystal], predicted: Mapping[str, np.ndarray]
) -> None:
    """Write one row per labelled crystal of any split, sorted by material_id, values in the target's unit."""
    order = sorted(range(len(examples)), key=lambda row: examples[row].graph.material_id)
    columns = {
        "material_id": [examples[row].graph.material_id for row in order],
        "split": [examples[row].split for row in order],
        "true": [examples[row].value for row in order],
        **{branch: values[order] for branch, values in predicted.items()},
    }
    write_table(data / f"predictions/fusion/{target}.parquet", columns, FUSION_PREDICTIONS_SCHEMA)


def write_untrained(data: Path, target: str) -> None:
    """Write the outputs of a run that had nothing to learn from: no weights, no history, no predictions."""
    save_weights(data / "weights/fusion" / target, {}, {})
    write_history(data / f"logs/fusion/{target}.csv", TrainingState())
    write_predictions(data, target, [], {branch: np.zeros(0) for branch in ("fused", "structure", "text")})
