"""The data sets on which Crystalformer and its predecessors are compared, with the splits that all of them use.

A set holds the records of one JARVIS file in which every target is a number, in the order of the file. ALIGNN shuffles
their places with seed 123; the first train, the last test, those before the last validate. Fractions are rounded down,
which may leave records over.

Taniai et al., *Crystalformer: Infinitely Connected Attention for Periodic Structure Encoding*, ICLR 2024,
arXiv:2403.11686, tables 1 and 2; Choudhary and DeCost, *Atomistic Line Graph Neural Network for improved materials
property predictions*, npj Computational Materials 7, 185 (2021), doi 10.1038/s41524-021-00650-1.
"""

import math
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.shared.errors import StageError
from stages.shared.sources.files import BrokenFile, find_raw_file, iterate_json_array

SHUFFLE_SEED = 123


@dataclass(frozen=True)
class TargetSet:
    """Which records of a JARVIS data set are meant, and how many go where.

    Args:
        dataset: as `fetch.jarvis.datasets` calls it.
        id_field: of a record.
        targets: the fields that must hold a number.
        sizes: of train, val and test; None for 80 %, 10 % and 10 %, rounded down.
    """

    dataset: str
    id_field: str
    targets: tuple[str, ...]
    sizes: tuple[int, int, int] | None = None

    def sizes_of(self, n_records: int) -> tuple[int, int, int]:
        """Return the sizes of train, val and test."""
        return self.sizes or (int(0.8 * n_records), int(0.1 * n_records), int(0.1 * n_records))


TARGET_SETS = {
    "jarvis__megnet": TargetSet("megnet", "id", ("e_form", "gap pbe"), (60000, 5000, 4239)),
    "jarvis__dft_3d_2021": TargetSet(
        "dft_3d_2021", "jid", ("formation_energy_peratom", "optb88vdw_total_energy", "optb88vdw_bandgap")
    ),
    "jarvis__dft_3d_2021-mbj_bandgap": TargetSet("dft_3d_2021", "jid", ("mbj_bandgap",)),
    "jarvis__dft_3d_2021-ehull": TargetSet("dft_3d_2021", "jid", ("ehull",)),
}
"""By the name that Crystalformer gives them.

Its sets of bulk and shear moduli are published as pickles only: data/splits/README.md turns them into own records and
lists for the scheme `file`.
"""


def published_split(name: str, folder: Path) -> dict[str, str]:
    """Return the split of each record of a target set by its id; others are in none.

    Args:
        name: a key of `TARGET_SETS`.
        folder: with the raw files of JARVIS.

    Raises:
        StageError: the data set is not in the folder, broken off, or too small to be the published one.
    """
    target_set = TARGET_SETS[name]
    ids = _ids_of(name, target_set, folder)
    n_train, n_val, n_test = target_set.sizes_of(len(ids))
    if not ids or n_train + n_val + n_test > len(ids):
        raise StageError(f"{name} needs {n_train + n_val + n_test or 'some'} records, the raw file has {len(ids)}")
    places = list(range(len(ids)))
    random.Random(SHUFFLE_SEED).shuffle(places)
    end_of_val = len(ids) - n_test
    ranges = {"train": (0, n_train), "val": (end_of_val - n_val, end_of_val), "test": (end_of_val, len(ids))}
    splits: dict[str, str] = {}
    for split, (start, end) in ranges.items():
        for place in places[start:end]:
            splits.setdefault(ids[place], split)
    return splits


def _ids_of(name: str, target_set: TargetSet, folder: Path) -> list[str]:
    """Return the ids of the records with all targets, in the order of the file."""
    path = find_raw_file(folder, f"jarvis_{target_set.dataset}.json")
    if path is None:
        raise StageError(
            f"generate_cif.split.target_set is {name}, which needs {target_set.dataset} in fetch.jarvis.datasets"
        )
    try:
        return [
            str(record[target_set.id_field])
            for record, _ in iterate_json_array(path)
            if isinstance(record, dict)
            and target_set.id_field in record
            and all(_is_number(record.get(target)) for target in target_set.targets)
        ]
    except BrokenFile as error:
        raise StageError(f"the split of {name} needs the whole data set, but {error}") from None


def _is_number(value: Any) -> bool:
    """Tell what the published filter takes: numbers that are finite, no text that spells one."""
    return type(value) is int or (type(value) is float and math.isfinite(value))
