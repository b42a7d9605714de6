"""The data sets on which Crystalformer and its predecessors are compared, with the splits that all of them use.

A set holds the records in which every target is a number. Most are of one JARVIS file, in its order: ALIGNN shuffles
their places with seed 123; the first train, the last test, those before the last validate. Fractions are rounded down,
which may leave records over. The sets of moduli are published as one file for each split.

Taniai et al., *Crystalformer: Infinitely Connected Attention for Periodic Structure Encoding*, ICLR 2024,
arXiv:2403.11686, tables 1 and 2; Choudhary and DeCost, *Atomistic Line Graph Neural Network for improved materials
property predictions*, npj Computational Materials 7, 185 (2021), doi 10.1038/s41524-021-00650-1; Yan et al., *Periodic
Graph Transformers for Crystal Material Property Prediction*, NeurIPS 2022, arXiv:2209.11807.
"""

import math
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.shared.errors import StageError
from stages.shared.sources.files import BrokenFile, find_raw_file, iterate_json_array
from stages.shared.sources.plain_pickle import read_pickled_list

SHUFFLE_SEED = 123


@dataclass(frozen=True)
class TargetSet:
    """Which records of a JARVIS data set are meant, and how many go where.

    Args:
        dataset: as `fetch.jarvis.datasets` calls it.
        id_field: of a record.
        targets: the fields that must hold a number.
        sizes: of train, val and test; None for 80 %, 10 % and 10 %, rounded down.
        by_file: it is published in three files, one for each split, which are followed in place of the sizes.
    """

    dataset: str
    id_field: str
    targets: tuple[str, ...]
    sizes: tuple[int, int, int] | None = None
    by_file: bool = False

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
    "jarvis__megnet-bulk": TargetSet("megnet_bulk", "id", ("bulk modulus",), by_file=True),
    "jarvis__megnet-shear": TargetSet("megnet_shear", "id", ("shear modulus",), by_file=True),
}
"""By the name that Crystalformer gives them."""


def published_split(name: str, folder: Path) -> dict[str, str]:
    """Return the split of each record of a target set by its id; others are in none.

    Args:
        name: a key of `TARGET_SETS`.
        folder: with the raw files of JARVIS.

    Raises:
        StageError: the data set is not in the folder, broken off, or too small to be the published one.
    """
    target_set = TARGET_SETS[name]
    if target_set.by_file:
        return _split_by_file(name, folder)
    ids = _ids_of(name, f"jarvis_{target_set.dataset}.json", folder)
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


def _split_by_file(name: str, folder: Path) -> dict[str, str]:
    splits: dict[str, str] = {}
    for split in ("train", "val", "test"):
        file = f"jarvis_{TARGET_SETS[name].dataset}_{split}.pkl"
        ids = _ids_of(name, file, folder)
        if not ids:
            raise StageError(f"{name} needs some records, {file} has none with a target")
        for record_id in ids:
            splits.setdefault(record_id, split)
    return splits


def _ids_of(name: str, file: str, folder: Path) -> list[str]:
    """Return the ids of the records with all targets, in the order of the file."""
    target_set = TARGET_SETS[name]
    path = find_raw_file(folder, file)
    if path is None:
        raise StageError(
            f"generate_cif.split.target_set is {name}, which needs {target_set.dataset} in fetch.jarvis.datasets"
        )
    try:
        records = read_pickled_list(path) if target_set.by_file else (one for one, _ in iterate_json_array(path))
        return [
            str(record[target_set.id_field])
            for record in records
            if isinstance(record, dict)
            and target_set.id_field in record
            and all(_is_number(record.get(target)) for target in target_set.targets)
        ]
    except BrokenFile as error:
        raise StageError(f"the split of {name} needs the whole data set, but {error}") from None


def _is_number(value: Any) -> bool:
    """Tell what the published filter takes: numbers that are finite, no text that spells one."""
    return type(value) is int or (type(value) is float and math.isfinite(value))
