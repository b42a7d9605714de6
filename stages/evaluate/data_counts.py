"""Counts of the data set: plain functions of its tables."""

from collections import Counter

import pyarrow as pa

from models.crystal_systems import CRYSTAL_SYSTEMS
from stages.shared.schemas import SCALAR_PROPERTIES, SPLITS

SPECTRA = {"electron_dos": "edos_density", "phonon_dos": "phdos_density"}
TEXTS = ("description", "narrative")


def count_crystals(crystals: pa.Table) -> dict[str, int | dict[str, int]]:
    """Return the number of crystals, and how many are in each split and crystal system."""
    splits = Counter(crystals["split"].to_pylist())
    systems = Counter(crystals["crystal_system"].to_pylist())
    return {
        "crystals": crystals.num_rows,
        "split": {split: splits[split] for split in SPLITS},
        "crystal_system": {system: systems[system] for system in CRYSTAL_SYSTEMS},
    }


def count_known(crystals: pa.Table) -> dict[str, int]:
    """Return for how many crystals each property, spectrum and delivered text is known."""
    columns = {name: name for name in (*SCALAR_PROPERTIES, *TEXTS)} | SPECTRA
    return {name: crystals.num_rows - crystals[column].null_count for name, column in columns.items()}


def count_texts(narratives: pa.Table) -> dict[str, int]:
    """Return the number of texts of each view."""
    return dict(Counter(narratives["view"].to_pylist()))
