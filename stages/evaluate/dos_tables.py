"""The small tables beside the figures of a density of states."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.evaluate.charts import Example
from stages.evaluate.spectra_metrics import SpectraErrors
from stages.shared.tables import write_csv


def write_errors(path: Path, material_ids: Sequence[str], errors: SpectraErrors) -> None:
    """Write the scores of each test crystal, one row per crystal in the given order."""
    rows = zip(material_ids, errors.mae, errors.rmse, errors.r2, errors.wasserstein, strict=True)
    write_csv(path, ["material_id", "mae", "rmse", "r2", "wasserstein"], rows)


def write_examples(path: Path, axis: str, grid: NDArray[np.float64], examples: Sequence[Example]) -> None:
    """Write the example spectra, one row per bin; a header and no row where there is no example.

    Args:
        path: the CSV to write.
        axis: name of the grid's column, `energy` or `frequency`.
        grid: (n_bins,) eV or cm⁻¹.
        examples: best, median and worst.
    """
    header = [axis]
    for role in ("best", "median", "worst"):
        header += [f"{role}_true", f"{role}_predicted"]
    columns = [spectrum for example in examples for spectrum in (example.true, example.predicted)]
    rows = zip(grid, *columns, strict=True) if examples else []
    write_csv(path, header, rows)
