"""The small tables beside the figures of a density of states."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.evaluate.dos_charts import Example
from stages.evaluate.dos_physics import Quantity
from stages.evaluate.spectra_metrics import SpectraErrors
from stages.shared.text_files import write_csv


def write_errors(path: Path, material_ids: Sequence[str], errors: SpectraErrors) -> None:
    """Write the scores of each test crystal, one row per crystal in the given order."""
    rows = zip(material_ids, errors.mae, errors.mse, errors.rmse, errors.r2, errors.wasserstein, strict=True)
    write_csv(path, ["material_id", "mae", "mse", "rmse", "r2", "wasserstein"], rows)


def write_physics(path: Path, material_ids: Sequence[str], quantities: Mapping[str, Quantity]) -> None:
    """Write each quantity of each test crystal, from its true and from its predicted spectrum, in the given order.

    A cell is empty where a spectrum does not give the quantity.
    """
    header = ["material_id"]
    columns: list[Sequence[object]] = [material_ids]
    for name, quantity in quantities.items():
        header += [f"{name}_true", f"{name}_predicted"]
        columns += [_cells(quantity.true), _cells(quantity.predictions["predicted"])]
    write_csv(path, header, zip(*columns, strict=True))


def write_examples(path: Path, axis: str, grid: NDArray[np.float64], examples: Sequence[Example]) -> None:
    """Write the example spectra, one row per bin; a header and no row where there is no example.

    A cell of a true spectrum is empty in a bin that is not known.

    Args:
        path: the CSV to write.
        axis: name of the grid's column, `energy` or `frequency`.
        grid: (n_bins,) eV or cm⁻¹.
        examples: best, median and worst.
    """
    header = [axis]
    for role in ("best", "median", "worst"):
        header += [f"{role}_true", f"{role}_predicted"]
    columns: list[Sequence[object]] = [grid.tolist()]
    for example in examples:
        columns += [_cells(np.where(example.known, example.true, np.nan)), _cells(example.predicted)]
    write_csv(path, header, zip(*columns, strict=True) if examples else [])


def _cells(values: NDArray[np.float64]) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
