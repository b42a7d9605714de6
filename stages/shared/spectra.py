"""Crystals with a density of states, read from the tables of earlier stages."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.crystal_systems import CRYSTAL_SYSTEMS
from stages.shared.graphs import GraphTable, read_inputs, rows_of
from stages.shared.mapped import ROWS_PER_BATCH, MappedTable, write_arrow
from stages.shared.params import DosKindParams, EncoderParams
from stages.shared.progress import say
from stages.shared.schemas import SPLITS
from stages.shared.spectrum_targets import spectrum_target
from stages.shared.tables import iterate_batches, read_table

COLUMNS = {"phonon": ("phdos_frequency", "phdos_density"), "electron": ("edos_energy", "edos_density")}
_SPECTRA_SCHEMA = pa.schema(
    [
        pa.field("material_id", pa.string()),
        pa.field("spectrum", pa.list_(pa.float32())),
        pa.field("known", pa.list_(pa.uint8())),
        pa.field("scale", pa.float64()),
        pa.field("delivered_states", pa.float64()),
    ]
)
"""One row per crystal with a density of states, a `SpectrumTarget`; the lists are empty where the window holds no
states. Booleans are bytes: Arrow packs them into bits, which cannot be read in place."""


@dataclass(frozen=True)
class CrystalSpectra:
    """The examples.

    Attributes:
        graphs: n crystals, by split, then by material_id.
        crystal_system: (n,) int64 index into `CRYSTAL_SYSTEMS`, the prompt.
        table: the columns of `_SPECTRA_SCHEMA`.
        rows: (n,) row of each crystal in `table`.
    """

    graphs: GraphTable
    crystal_system: NDArray[np.int64]
    table: MappedTable
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of crystals."""
        return len(self.graphs)

    def of_split(self, split: str) -> "CrystalSpectra":
        """Return the crystals of `train`, `val` or `test`."""
        return self._select(np.flatnonzero(self.graphs.splits == split))

    def spectrum(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the spectra of some crystals, (n, bins), normalised as the kind wants; `places` holds at least one."""
        spectra: NDArray[np.float32] = self.table.gather(["spectrum"], self.rows[places])["spectrum"].values
        return spectra.reshape(len(places), -1)

    def known(self, places: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which bins of some crystals are known, (n, bins); `places` holds at least one."""
        known: NDArray[np.uint8] = self.table.gather(["known"], self.rows[places])["known"].values
        return known.reshape(len(places), -1).astype(bool)

    def number(self, column: str) -> NDArray[np.float64]:
        """Return `scale` or `delivered_states` of all crystals, (n,), states per atom; see `SpectrumTarget`."""
        numbers: NDArray[np.float64] = self.table.column(column).to_numpy(zero_copy_only=False)[self.rows]
        return numbers

    def _select(self, places: NDArray[np.int64]) -> "CrystalSpectra":
        return CrystalSpectra(self.graphs.select(places), self.crystal_system[places], self.table, self.rows[places])


def read_spectra(
    data: Path, kind: str, kind_params: DosKindParams, encoder: EncoderParams, scratch: Path
) -> CrystalSpectra:
    """Return all crystals that the graph tower can read with states inside the window, by split, then by material_id.

    Crystals whose spectrum has no states inside the window are counted and named.

    Args:
        data: the pipeline's data folder.
        kind: `phonon` or `electron`.
        kind_params: the recipe.
        encoder: the graph tower.
        scratch: folder for the memory-mapped files; they must stay while the spectra are used.
    """
    crystals = data / "crystals.parquet"
    graphs = read_inputs(data, SPLITS, encoder, scratch)
    spectra = MappedTable(
        [write_arrow(scratch / "spectra.arrow", _SPECTRA_SCHEMA, _spectra(crystals, kind, kind_params))]
    )
    rows = rows_of(graphs.material_ids, spectra.column("material_id"))
    delivered = np.flatnonzero(rows >= 0)
    empty = delivered[spectra.lengths("spectrum")[rows[delivered]] == 0]
    if len(empty):
        names = graphs.material_ids.take(pa.array(empty)).to_pylist()
        say(f"{kind}: left out, no states inside the window: {', '.join(names)}")
    kept = np.setdiff1d(delivered, empty)
    chosen = graphs.select(kept)
    return CrystalSpectra(chosen, _crystal_systems(crystals, chosen.material_ids), spectra, rows[kept])


def _spectra(crystals: Path, kind: str, kind_params: DosKindParams) -> Iterator[pa.RecordBatch]:
    """Yield the crystals with a density of states in batches of `_SPECTRA_SCHEMA`."""
    x_column, y_column = COLUMNS[kind]
    for batch in iterate_batches(crystals, ROWS_PER_BATCH, ["material_id", "n_atoms", x_column, y_column]):
        delivered = batch.filter(batch.column(x_column).is_valid())
        n_atoms = delivered.column("n_atoms").to_pylist()
        curves = zip(_arrays(delivered.column(x_column)), _arrays(delivered.column(y_column)), n_atoms, strict=True)
        targets = [spectrum_target(x, y, n, kind_params) for x, y, n in curves]
        columns: dict[str, Any] = {
            "material_id": delivered.column("material_id"),
            "spectrum": [[] if target is None else target.spectrum.astype(np.float32) for target in targets],
            "known": [[] if target is None else target.known.astype(np.uint8) for target in targets],
            "scale": [None if target is None else target.scale for target in targets],
            "delivered_states": [None if target is None else target.delivered_states for target in targets],
        }
        arrays = [pa.array(columns[field.name], type=field.type) for field in _SPECTRA_SCHEMA]
        yield pa.RecordBatch.from_arrays(arrays, schema=_SPECTRA_SCHEMA)


def _arrays(column: pa.ListArray) -> list[NDArray[np.float64]]:
    return [row.values.to_numpy().astype(np.float64) for row in column]


def _crystal_systems(crystals: Path, material_ids: pa.StringArray) -> NDArray[np.int64]:
    """Return the place of each crystal's system in `CRYSTAL_SYSTEMS`."""
    table = read_table(crystals, ["material_id", "crystal_system"])
    systems = pc.index_in(table["crystal_system"], value_set=pa.array(CRYSTAL_SYSTEMS)).to_numpy()
    return systems[rows_of(material_ids, table["material_id"])].astype(np.int64)
