"""The crystals a campaign chooses from: descriptors of all, and of each property what is known."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.acquisition import Window
from models.crystal_descriptors import crystal_descriptors
from models.spectra import resample
from models.spectral_physics import heat_capacity, mean_frequency
from stages.shared.errors import StageError
from stages.shared.graphs import GraphTable, read_graphs, rows_of
from stages.shared.params import ActiveParams, ObjectiveParams
from stages.shared.parts import row_parts
from stages.shared.schemas import SCALAR_PROPERTIES, SPLITS
from stages.shared.tables import read_table

Array = NDArray[np.float64]

PHONON_PROPERTIES: dict[str, tuple[Callable[[Array, Array], Array], str]] = {
    "phonon_mean_frequency": (mean_frequency, "cm⁻¹"),
    "heat_capacity_300k": (partial(heat_capacity, temperature=300.0), "J/(mol·K)"),
}
"""Numbers drawn from the phonon density of states, with their units; the heat capacity is per mole of atoms."""

UNITS = SCALAR_PROPERTIES | {name: unit for name, (_, unit) in PHONON_PROPERTIES.items()}
_CRYSTALS_AT_ONCE = 256
_FREQUENCIES = 1001  # points that a density of states is interpolated to


@dataclass(frozen=True)
class Candidates:
    """n crystals, by material_id.

    Attributes:
        material_ids: (n,) strings.
        formulas: (n,) strings.
        splits: (n,) `train`, `val` or `test`.
        descriptors: (n, d) with mean 0 and standard deviation 1 over the crystals.
        properties: (n,) values of each property, NaN where not known.
    """

    material_ids: list[str]
    formulas: list[str]
    splits: NDArray[np.str_]
    descriptors: Array
    properties: Mapping[str, Array]

    def known(self, names: Mapping[str, Window]) -> NDArray[np.int64]:
        """Return the places of the crystals of which all the named properties are known."""
        values = np.stack([self.properties[name] for name in names])  # (n_properties, n)
        return np.flatnonzero(np.isfinite(values).all(axis=0))

    def hits(self, windows: Mapping[str, Window]) -> NDArray[np.bool_]:
        """Tell of each crystal whether all its properties are known and lie in their windows, (n,)."""
        inside = [window.holds(self.properties[name]) for name, window in windows.items()]
        hits: NDArray[np.bool_] = np.all(inside, axis=0)
        return hits


def windows_of(objective: ObjectiveParams) -> dict[str, Window]:
    """Return the window of each property of an objective; a side that is not given is open."""
    return {
        window.property: Window(
            -np.inf if window.low is None else window.low, np.inf if window.high is None else window.high
        )
        for window in objective.windows
    }


def check_properties(params: ActiveParams) -> None:
    """Look whether every window is on a property there is.

    Raises:
        StageError: one is not; the message names the nearest.
    """
    for name in _wanted(params):
        if name not in UNITS:
            near = difflib.get_close_matches(name, UNITS, n=1, cutoff=0.0)[0]
            raise StageError(f"active.objectives: there is no property {name}; did you mean {near}?")


def read_candidates(data: Path, params: ActiveParams, scratch: Path) -> Candidates:
    """Return every crystal that has a graph, with the properties of all objectives.

    Args:
        data: the pipeline's data folder.
        params: the `active` section.
        scratch: folder for the memory-mapped graphs.
    """
    graphs = read_graphs({split: data / "graphs" / f"{split}.parquet" for split in SPLITS}, scratch)
    graphs = graphs.select(np.argsort(np.array(graphs.material_ids.to_pylist(), dtype=np.str_), kind="stable"))
    scalars = [name for name in _wanted(params) if name in SCALAR_PROPERTIES]
    columns = ["material_id", "formula", "phdos_frequency", "phdos_density", *scalars]
    table = read_table(data / "crystals.parquet", columns)
    table = table.take(rows_of(graphs.material_ids, table["material_id"]))
    properties = {name: table[name].to_numpy().astype(np.float64) for name in scalars}
    curves = list(zip(table["phdos_frequency"], table["phdos_density"], strict=True))
    for name in _wanted(params) - set(scalars):
        quantity, _ = PHONON_PROPERTIES[name]
        properties[name] = np.array([_of_phonons(quantity, *curve) for curve in curves], dtype=np.float64)
    return Candidates(
        graphs.material_ids.to_pylist(), table["formula"].to_pylist(), graphs.splits, _descriptors(graphs), properties
    )


def _wanted(params: ActiveParams) -> set[str]:
    return {window.property for objective in params.objectives for window in objective.windows}


def _of_phonons(quantity: Callable[[Array, Array], Array], frequency: pa.ListScalar, density: pa.ListScalar) -> float:
    """Return a number drawn from a density of states, NaN where there is none or it has no modes above zero."""
    if not frequency.is_valid:
        return np.nan
    x = frequency.values.to_numpy()
    even = np.linspace(x.min(), x.max(), _FREQUENCIES)
    return float(quantity(even, resample(x, density.values.to_numpy(), even)[None])[0])


def _descriptors(graphs: GraphTable) -> Array:
    """Return the descriptors of all crystals, (n, d), standardised; a column that is constant is zero."""
    parts = [crystal_descriptors(graphs.batch(rows)).numpy() for rows in row_parts(len(graphs), _CRYSTALS_AT_ONCE)]
    if not parts:
        return np.zeros((0, 0))
    values: Array = np.concatenate(parts)
    deviation = values.std(axis=0)
    standardised: Array = (values - values.mean(axis=0)) / np.where(deviation > 1e-9, deviation, 1.0)
    return standardised
