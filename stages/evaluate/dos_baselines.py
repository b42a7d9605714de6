"""The spectra that the baseline networks predict, beside those of the DOS transformer."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from stages.evaluate.predictions import as_spectra
from stages.evaluate.spectra_metrics import Spectra
from stages.shared.errors import StageError
from stages.shared.tables import read_table


def network_predictions(path: Path, material_ids: Sequence[str], n_bins: int) -> dict[str, Spectra]:
    """Return the predictions (n, n_bins) of each baseline network for these crystals, in their order.

    Args:
        path: the prediction table of `dos_baselines`.
        material_ids: n names.
        n_bins: bins of the kind's grid.

    Raises:
        StageError: the table does not hold all of the crystals.
    """
    table = read_table(path)
    place_of = {name: place for place, name in enumerate(table["material_id"].to_pylist())}
    missing = [name for name in material_ids if name not in place_of]
    if missing:
        raise StageError(f"{path} lacks {len(missing)} crystals, for example {missing[0]}; run `dvc repro`")
    places = pa.array([place_of[name] for name in material_ids], pa.int64())
    rows = table.drop_columns("material_id").take(places).to_pandas()
    return {name: as_spectra(rows[name], n_bins) for name in rows.columns}
