"""What a DOS run leaves behind."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.dos.dataset import CrystalSpectrum
from stages.shared.checkpoint import TrainingState
from stages.shared.schemas import DOS_PREDICTIONS_SCHEMA
from stages.shared.tables import write_table
from stages.shared.training import write_history
from stages.shared.weights import save_weights


def write_predictions(
    data: Path, kind: str, examples: Sequence[CrystalSpectrum], system: np.ndarray, unprompted: np.ndarray
) -> None:
    """Write one row per crystal of any split, sorted by material_id, spectra (bins,) in units of the true maximum."""
    order = sorted(range(len(examples)), key=lambda row: examples[row].graph.material_id)
    columns = {
        "material_id": [examples[row].graph.material_id for row in order],
        "split": [examples[row].split for row in order],
        "true": [examples[row].spectrum for row in order],
        "predicted": [system[row] for row in order],
        "predicted_global": [unprompted[row] for row in order],
    }
    write_table(data / f"predictions/dos/{kind}.parquet", columns, DOS_PREDICTIONS_SCHEMA)


def write_untrained(data: Path, kind: str) -> None:
    """Write the outputs of a run that had nothing to learn from: no weights, no history, no predictions."""
    save_weights(data / "weights/dos" / kind, {}, {})
    write_history(data / f"logs/dos/{kind}.csv", TrainingState())
    write_predictions(data, kind, [], np.zeros((0, 0)), np.zeros((0, 0)))
