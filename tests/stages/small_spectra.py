"""Thirty crystals with a peak in each kind of spectrum, for the commands that train many small transformers."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages.shared.schemas import SPLITS
from tests.stages.graph_tables import simple_cubic, write_graph_rows

ELEMENTS = range(11, 41)


def write_spectra(data: Path, crystal_system: str) -> Path:
    """Write simple cubic elements whose peaks move with the atomic number; return the folder.

    Args:
        data: folder to make.
        crystal_system: what every third of them is called; the others are cubic.
    """
    data.mkdir()
    names = [f"m-{number}" for number in ELEMENTS]
    splits = [SPLITS[number % 5 % 3] for number in ELEMENTS]
    frequency, energy = np.linspace(0.0, 900.0, 181), np.linspace(-6.0, 6.0, 121)
    columns = {
        "material_id": names,
        "n_atoms": [1] * len(names),
        "phdos_frequency": [frequency] * len(names),
        "phdos_density": [np.exp(-(((frequency - 15 * number) / 40) ** 2)) for number in ELEMENTS],
        "edos_energy": [energy] * len(names),
        "edos_density": [np.exp(-((energy - number / 20) ** 2)) for number in ELEMENTS],
        "crystal_system": [crystal_system if number % 3 == 0 else "cubic" for number in ELEMENTS],
        "split": splits,
    }
    pq.write_table(pa.table(columns), data / "crystals.parquet")
    for split in SPLITS:
        rows = [simple_cubic(*one[:2]) for one in zip(names, ELEMENTS, splits, strict=True) if one[2] == split]
        write_graph_rows(data / f"graphs/{split}.parquet", rows)
    return data
