"""Whole runs of the pipeline on small folders of raw records, one stage after the other in this process."""

import functools
import gzip
import hashlib
import json
import operator
import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from tests.pipeline.imports import ROOT

SAMPLE = ROOT / "data/sample"
Document = dict[str, Any]

# every command of dvc.yaml, in an order that satisfies its dependencies
COMMANDS = (
    "fetch materials_project",
    "fetch jarvis",
    "fetch narratives",
    "fetch phonon_tutorial",
    "fetch own",
    "generate_cif",
    "describe",
    "build_graphs",
    "embed",
    "pretrain",
    "fusion formation_energy_per_atom",
    "fusion band_gap",
    "dos phonon",
    "dos electron",
    "dos_baselines phonon",
    "dos_baselines electron",
    "zero_shot",
    "evaluate.data",
    "evaluate.pretrain",
    "evaluate.fusion formation_energy_per_atom",
    "evaluate.fusion band_gap",
    "evaluate.dos phonon",
    "evaluate.dos electron",
    "evaluate.dos_downstream phonon",
    "evaluate.dos_downstream electron",
    "report",
)

SMALL = {
    "epochs": 2,
    "dim": 16,
    "n_interactions": 1,
    "n_layers": 1,
    "embedding_dim": 16,
    "bins": 21,
    "warmup_epochs": 1,
    "forest_trees": 5,
    "bootstrap_samples": 50,
}


def sample_documents() -> list[Document]:
    """Return the Materials Project documents of the sample."""
    with gzip.open(SAMPLE / "materials_project.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def write_documents(folder: Path, documents: list[Document]) -> None:
    """Write Materials Project documents as the raw file of that source."""
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(folder / "materials_project.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(document) + "\n" for document in documents)


def write_jarvis(folder: Path, n: int) -> None:
    """Write the first n JARVIS records of the sample as the raw files of that source."""
    for name in ("jarvis_dft_3d.json.gz", "jarvis_edos_pdos.json.gz"):
        with gzip.open(SAMPLE / name, "rt", encoding="utf-8") as file:
            records = json.load(file)[:n]
        with gzip.open(folder / name, "wt", encoding="utf-8") as file:
            json.dump(records, file)


def write_narratives(folder: Path, keep: Callable[[str], bool]) -> None:
    """Write the sample's narratives of the formulas to keep as the raw file of that source."""
    table = pq.read_table(SAMPLE / "narratives_mp_3d_2020.parquet")
    mask = pa.array([keep(formula) for formula in table["pretty formula"].to_pylist()])
    pq.write_table(table.filter(mask), folder / "narratives_mp_3d_2020.parquet")


def run_pipeline(root: Path, raw: Path, changes: dict[str, Any] | None = None) -> dict[str, str]:
    """Run every stage with small settings in `root` on the raw records in `raw`; return the digest of every output.

    Args:
        root: a folder to make and work in.
        raw: the sample directory.
        changes: further parameters by their dotted names.
    """
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for section in sections_of(params):
        section |= {knob: value for knob, value in SMALL.items() if knob in section}
    for key, value in {"fetch.sample_directory": str(raw), **(changes or {})}.items():
        *path, knob = key.split(".")
        functools.reduce(operator.getitem, path, params)[knob] = value
    (root / "data/papers").mkdir(parents=True)
    (root / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    (root / "dvc.yaml").write_bytes((ROOT / "dvc.yaml").read_bytes())
    before = Path.cwd()
    try:
        sys.path.insert(0, str(ROOT))
        os.chdir(root)
        for command in COMMANDS:
            run_command(command)
    finally:
        os.chdir(before)
        sys.path.remove(str(ROOT))
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != "params.yaml"
    }


def sections_of(params: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the tree of parameters and every section of it, at any depth."""
    below = [section for value in params.values() if isinstance(value, dict) for section in sections_of(value)]
    return [params, *below]


def run_command(command: str) -> None:
    """Run `python -m stages.<command>` in this process and in the current folder."""
    module, *arguments = command.split()
    with mock.patch.object(sys, "argv", [module, *arguments]):
        runpy.run_module(f"stages.{module}", run_name="__main__")
