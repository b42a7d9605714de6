"""The density of states of each element, where a source delivered it, beside what attention says."""

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.spectra import resample
from stages.shared.tables import read_table, table_schema

Numbers = NDArray[np.float64]

_COLUMNS = {"phonon": ("phdos_frequency", "phdos_projected"), "electron": ("edos_energy", "edos_projected")}
_LEAST_STATES = 0.05  # share of the largest sum over elements; below it there is next to nothing to share


def read_projected(crystals: Path, kind: str, material_id: str, grid: Numbers) -> dict[str, Numbers]:
    """Return the projected density of states of each element on the grid, (n_bins,) each.

    Empty where the table of crystals has no such column or the crystal no such spectra.

    Args:
        crystals: the table; its column `phdos_projected` or `edos_projected` maps the symbols of the elements to
            densities at the abscissae of the total density of states.
        kind: `phonon` or `electron`.
        material_id: of the crystal.
        grid: (n_bins,) cm⁻¹ or eV.
    """
    x_column, column = _COLUMNS[kind]
    if column not in table_schema(crystals).names:
        return {}
    table = read_table(crystals, ["material_id", x_column, column])
    row = table.filter(pc.equal(table["material_id"], material_id)).to_pylist()[0]
    return {element: resample(row[x_column], density, grid) for element, density in dict(row[column] or {}).items()}


def projected_shares(projected: dict[str, Numbers]) -> dict[str, Numbers]:
    """Return each element's share of the states in each bin, (n_bins,) each; NaN in bins with next to no states."""
    total = np.sum([density.clip(min=0.0) for density in projected.values()], axis=0)
    enough = total > _LEAST_STATES * total.max(initial=0.0)
    return {
        element: np.where(enough, density.clip(min=0.0) / np.where(enough, total, 1.0), np.nan)
        for element, density in projected.items()
    }


def share_correlation(attention: Numbers, projected: Numbers) -> float | None:
    """Return Pearson's correlation over the bins with states, None where either share is constant.

    Args:
        attention: (n_bins,) share of the attention that goes to an element.
        projected: (n_bins,) its share of the states, NaN where there are next to none.
    """
    given = np.isfinite(projected)
    if given.sum() < 2 or np.ptp(attention[given]) == 0 or np.ptp(projected[given]) == 0:
        return None
    return float(np.corrcoef(attention[given], projected[given])[0, 1])
