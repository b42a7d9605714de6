"""What a DOS run leaves behind."""

from pathlib import Path

import numpy as np

from stages.shared.checkpoint import TrainingState
from stages.shared.schemas import DOS_PREDICTIONS_SCHEMA
from stages.shared.spectra import CrystalSpectra
from stages.shared.tables import write_table
from stages.shared.training import write_history
from stages.shared.weights import save_weights


def write_predictions(
    data: Path, kind: str, examples: CrystalSpectra, system: np.ndarray, unprompted: np.ndarray
) -> None:
    """Write one row per crystal of any split, sorted by material_id; spectra are (bins,), normalised as the kind wants.

    Args:
        data: the pipeline's data folder.
        kind: `phonon` or `electron`.
        examples: n crystals.
        system: (n, bins) of the branch that is told the crystal system.
        unprompted: (n, bins) of the branch that is not.
    """
    material_ids = examples.graphs.material_ids.to_pylist()
    order = sorted(range(len(examples)), key=lambda row: material_ids[row])
    everything = np.arange(len(examples))
    true, known = examples.spectrum(everything), examples.known(everything)
    scale, delivered_states = examples.number("scale"), examples.number("delivered_states")
    columns = {
        "material_id": [material_ids[row] for row in order],
        "split": examples.graphs.splits[order],
        "true": [true[row] for row in order],
        "known": [known[row] for row in order],
        "scale": scale[order],
        "delivered_states": delivered_states[order],
        "predicted": [system[row] for row in order],
        "predicted_global": [unprompted[row] for row in order],
    }
    write_table(_table(data, kind), columns, DOS_PREDICTIONS_SCHEMA)


def write_untrained(data: Path, kind: str) -> None:
    """Write the outputs of a run that had nothing to learn from: no weights, no history, no predictions."""
    save_weights(data / "weights/dos" / kind, {}, {})
    write_history(data / f"logs/dos/{kind}.csv", TrainingState())
    nothing: dict[str, list[object]] = {name: [] for name in DOS_PREDICTIONS_SCHEMA.names}
    write_table(_table(data, kind), nothing, DOS_PREDICTIONS_SCHEMA)


def _table(data: Path, kind: str) -> Path:
    return data / f"predictions/dos/{kind}.parquet"
