"""Counts of the data set. Tables are read one column at a time: those of a million crystals do not fit into memory."""

from pathlib import Path

from models.crystal_systems import CRYSTAL_SYSTEMS
from stages.shared.schemas import SPLITS, property_columns
from stages.shared.tables import column_names, read_table

SPECTRA = {"electron_dos": "edos_density", "phonon_dos": "phdos_density"}
TEXTS = ("description", "narrative")


def count_crystals(crystals: Path) -> dict[str, int | dict[str, int]]:
    """Return the number of crystals, and how many are in each split and crystal system.

    Crystals in no split, which a scheme of index files may leave, are in the first number only.
    """
    splits, systems = count_values(crystals, "split"), count_values(crystals, "crystal_system")
    return {
        "crystals": sum(splits.values()),
        "split": {split: splits.get(split, 0) for split in SPLITS},
        "crystal_system": {system: systems.get(system, 0) for system in CRYSTAL_SYSTEMS},
    }


def count_known(crystals: Path) -> dict[str, int]:
    """Return for how many crystals each property, spectrum and delivered text is known."""
    properties = property_columns(column_names(crystals))
    columns = {name: name for name in (*properties, *TEXTS)} | SPECTRA
    known = {}
    for name, column in columns.items():
        values = read_table(crystals, [column])[column]
        known[name] = len(values) - values.null_count
    return known


def count_values(table: Path, column: str) -> dict[str | None, int]:
    """Return how often each value of a column occurs; null is one of them."""
    counts = read_table(table, [column])[column].value_counts()
    return {count["values"]: count["counts"] for count in counts.to_pylist()}
