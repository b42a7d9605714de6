"""The prediction table of the baselines."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from stages.shared.schemas import DOS_BASELINES_SCHEMA
from stages.shared.spectra import CrystalSpectra
from stages.shared.tables import write_table


def write_predictions(data: Path, kind: str, examples: CrystalSpectra, spectra: Mapping[str, np.ndarray]) -> None:
    """Write one row per crystal of any split, sorted by material_id; no row where nothing was trained.

    Args:
        data: the pipeline's data folder.
        kind: `phonon` or `electron`.
        examples: n crystals.
        spectra: (n, bins) by the name of the network; empty where there was nothing to learn from.
    """
    material_ids = examples.graphs.material_ids.to_pylist()
    order = sorted(range(len(examples)), key=lambda row: material_ids[row]) if spectra else []
    columns = {
        name: [spectra[name][row] for row in order] for name in DOS_BASELINES_SCHEMA.names if name != "material_id"
    }
    columns["material_id"] = [material_ids[row] for row in order]
    write_table(data / f"predictions/dos_baselines/{kind}.parquet", columns, DOS_BASELINES_SCHEMA)
