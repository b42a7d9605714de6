"""A small made-up set of everything the stages before `evaluate` deliver, written where they write it."""

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pymatgen.core import Composition, Element

from models.crystal_systems import CRYSTAL_SYSTEMS
from stages.shared.schemas import (
    CRYSTALS_SCHEMA,
    DOS_BASELINES_SCHEMA,
    DOS_PREDICTIONS_SCHEMA,
    FUSION_PREDICTIONS_SCHEMA,
    GRAPHS_SCHEMA,
    NARRATIVES_SCHEMA,
)
from stages.shared.tables import write_table
from stages.shared.text_files import write_csv, write_json

REPOSITORY = Path(__file__).parents[3]
CATIONS = ("Li", "Na", "K", "Rb", "Mg", "Ca", "Sr", "Ba", "Zn", "Cd", "Al", "Ga", "In", "Ti", "Zr")
ANIONS = ("O", "S", "Se", "F", "Cl", "Br", "N", "P", "As")


@dataclass(frozen=True)
class World:
    """The names and splits of the made-up crystals."""

    material_ids: list[str]
    formulas: list[str]
    systems: list[str]
    splits: list[str]


def make_world(n: int, test: bool = True) -> World:
    pairs = list(itertools.product(CATIONS, ANIONS))
    random = np.random.RandomState(0)
    chosen = [pairs[place] for place in random.permutation(len(pairs))[:n]]
    splits = ["train", "train", "train", "val", "test" if test else "train"]
    return World(
        material_ids=[f"mp-{100 + row}" for row in range(n)],
        formulas=[f"{cation}{anion}" for cation, anion in chosen],
        systems=[CRYSTAL_SYSTEMS[place] for place in random.randint(0, 5, n)],
        splits=[splits[row % 5] for row in range(n)],
    )


def write_world(root: Path, n: int = 120, test: bool = True, labelled: bool = True) -> World:
    """Write inputs for n crystals: without `test` none is in the test split, without `labelled` none has a DOS."""
    world = make_world(n, test)
    params = (REPOSITORY / "params.yaml").read_text(encoding="utf-8")
    for knob, small in (("forest_trees", 20), ("bootstrap_samples", 100)):
        params = re.sub(rf"{knob}: \d+", f"{knob}: {small}", params)
    (root / "params.yaml").write_text(params, encoding="utf-8")
    write_crystals(root, world, labelled)
    random = np.random.RandomState(1)
    for target in ("formation_energy_per_atom", "band_gap"):
        true = np.array([len(formula) + ord(formula[-1]) % 7 for formula in world.formulas]) + random.rand(n) - 6.0
        columns = {"material_id": world.material_ids, "split": world.splits, "true": true}
        for name, width in (("fused", 0.3), ("structure", 0.5), ("text", 0.9)):
            columns[name] = true + random.normal(0.0, width, n)
        write_table(root / f"data/predictions/fusion/{target}.parquet", columns, FUSION_PREDICTIONS_SCHEMA)
    for kind, bins in (("phonon", 51), ("electron", 201)):
        write_dos(root, world, kind, bins, n if labelled else 0)
    for name in ("pretrain", "fusion/formation_energy_per_atom", "fusion/band_gap", "dos/phonon", "dos/electron"):
        epochs = np.arange(1, 31)
        losses = zip(np.exp(-epochs / 9), np.exp(-epochs / 7) + 0.002 * epochs, strict=True)
        rows = [[epoch, 1e-3, *pair, 14.0 + epoch] for epoch, pair in zip(epochs, losses, strict=True)]
        header = ["epoch", "learning_rate", "train_loss", "val_loss", "logit_scale"]
        write_csv(root / f"data/logs/{name}.csv", header, rows)
    return world


def write_crystals(root: Path, world: World, labelled: bool) -> None:
    n = len(world.material_ids)
    columns = {name: [None] * n for name in CRYSTALS_SCHEMA.names}
    columns |= {
        "material_id": world.material_ids,
        "source": ["materials_project"] * n,
        "formula": world.formulas,
        "crystal_system": world.systems,
        "split": world.splits,
        "fingerprint": [f"hash-{row}" for row in range(n)],
        "band_gap": [1.5] * n,
        "edos_density": [[1.0, 2.0] if labelled else None] * n,
    }
    write_table(root / "data/crystals.parquet", columns, CRYSTALS_SCHEMA)
    sources = {"materials_project": {"raw": n + 3, "crystals": n, "merged": 1, "rejected": 2}}
    write_json(
        root / "data/crystals_counts.json",
        {"source": sources, "split": {"scheme": "formula", "seed": 0}, "raw_files": {}},
    )
    header = ["source", "source_id", "stage", "reason"]
    reasons = [["materials_project", f"mp-{row}", "generate_cif", "two atoms are 0.1 Å apart"] for row in range(2)]
    write_csv(root / "data/rejected.csv", header, reasons)
    write_csv(root / "data/describe_rejected.csv", header, [])
    write_csv(root / "data/graphs_rejected.csv", header, [])
    names = [[Element(symbol).long_name for symbol in Composition(formula).as_dict()] for formula in world.formulas]
    texts = [f"A {system} crystal of {' and '.join(two)}." for two, system in zip(names, world.systems, strict=True)]
    views = {"material_id": world.material_ids, "view": ["robocrystallographer"] * n, "text": texts}
    write_table(root / "data/narratives.parquet", views, NARRATIVES_SCHEMA)
    for split in ("train", "val", "test"):
        write_graphs(root / f"data/graphs/{split}.parquet", world, split)


def write_graphs(path: Path, world: World, split: str) -> None:
    """Write the crystals of one split as atoms without any neighbour."""
    rows = [row for row, place in enumerate(world.splits) if place == split]
    columns: dict[str, list[object]] = {name: [[]] * len(rows) for name in GRAPHS_SCHEMA.names}
    columns["material_id"] = [world.material_ids[row] for row in rows]
    columns["atomic_numbers"] = [[one.Z for one in Composition(world.formulas[row]).elements] for row in rows]
    columns["frac_coords"] = [[0.0, 0.0, 0.0, 0.5, 0.5, 0.5]] * len(rows)
    columns["lattice"] = [[4.0, 0.0, 0.0, 0.0, 4.0, 0.0, 0.0, 0.0, 4.0]] * len(rows)
    write_table(path, columns, GRAPHS_SCHEMA)


def write_dos(root: Path, world: World, kind: str, bins: int, n: int) -> None:
    """Write spectra of two peaks whose places depend on the formula."""
    random = np.random.RandomState(2)
    grid = np.linspace(0.0, 1.0, bins)
    centers = np.array([[ord(formula[0]) % 11 / 11, ord(formula[-1]) % 13 / 13] for formula in world.formulas[:n]])
    peaks = np.exp(-(((grid - centers.reshape(n, 2, 1)) / 0.08) ** 2)).sum(axis=1)
    true = peaks / peaks.max(axis=1, keepdims=True, initial=1e-9)
    known = np.arange(bins) < np.where(np.arange(n) % 4 == 0, bins - 9, bins)[:, None]  # every fourth was cut off
    noise = random.uniform(0.02, 0.4, (n, 1)) * random.normal(size=(n, bins))
    columns = {
        "material_id": world.material_ids[:n],
        "split": world.splits[:n],
        "true": list(np.where(known, true, 0.0)),
        "known": list(known),
        "scale": np.full(n, 0.2),
        "delivered_states": np.full(n, 3.0),
        "predicted": list(np.clip(true + noise, 0.0, None)),
        "predicted_global": list(np.clip(true + 1.5 * noise, 0.0, None)),
    }
    write_table(root / f"data/predictions/dos/{kind}.parquet", columns, DOS_PREDICTIONS_SCHEMA)
    names = [name for name in DOS_BASELINES_SCHEMA.names if name != "material_id"]
    networks = {name: list(np.clip(true + factor * noise, 0.0, None)) for factor, name in enumerate(names, start=2)}
    networks["material_id"] = world.material_ids[:n]
    write_table(root / f"data/predictions/dos_baselines/{kind}.parquet", networks, DOS_BASELINES_SCHEMA)
