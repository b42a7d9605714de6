"""Crystals with a density of states, read from the tables of earlier stages."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.crystal_systems import CRYSTAL_SYSTEMS
from stages.dos.targets import spectrum_target
from stages.shared.graphs import CrystalGraph, read_inputs
from stages.shared.params import DosKindParams, EncoderParams
from stages.shared.progress import say
from stages.shared.schemas import SPLITS
from stages.shared.tables import read_table

COLUMNS = {"phonon": ("phdos_frequency", "phdos_density"), "electron": ("edos_energy", "edos_density")}


@dataclass(frozen=True)
class CrystalSpectrum:
    """One example.

    Attributes:
        graph: the crystal.
        crystal_system: index into `CRYSTAL_SYSTEMS`, the prompt.
        spectrum: (bins,) float32, peak at 1.
        split: `train`, `val` or `test`.
    """

    graph: CrystalGraph
    crystal_system: int
    spectrum: NDArray[np.float32]
    split: str


def read_spectra(data: Path, kind: str, kind_params: DosKindParams, encoder: EncoderParams) -> list[CrystalSpectrum]:
    """Return all crystals that the graph tower can read with states inside the window, by split, then by material_id.

    Crystals whose spectrum has no states inside the window are counted and named.

    Args:
        data: the pipeline's data folder.
        kind: `phonon` or `electron`.
        kind_params: grid and smoothing.
        encoder: the graph tower.
    """
    x_column, y_column = COLUMNS[kind]
    table = read_table(data / "crystals.parquet", ["material_id", "crystal_system", x_column, y_column])
    rows = {row["material_id"]: row for row in table.to_pylist()}
    examples, empty = [], []
    for split in SPLITS:
        for graph in read_inputs(data, split, encoder):
            row = rows[graph.material_id]
            if row[x_column] is None:
                continue
            spectrum = spectrum_target(row[x_column], row[y_column], kind_params)
            if spectrum is None:
                empty.append(graph.material_id)
                continue
            system = CRYSTAL_SYSTEMS.index(row["crystal_system"])
            examples.append(CrystalSpectrum(graph, system, spectrum.astype(np.float32), split))
    if empty:
        say(f"{kind}: left out, no states inside the window: {', '.join(empty)}")
    return examples
