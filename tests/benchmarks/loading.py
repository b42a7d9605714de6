"""Time and memory of loading, one JSON line per case: `python -m tests.benchmarks.loading`.

`step`: milliseconds of processor time to gather a batch of 64 crystals and to train on it, on one core: for PaiNN alone
(forward, backward and AdamW), and for contrastive pretraining with two views of the texts. `memory`: resident memory of
a process that prepares the tables of that many crystals with two texts each and goes once through them in random order.

The crystals are those with the cell sizes of JARVIS dft_3d in `crystals.npz`, repeated under new names; 16 neighbours
per atom within 6 Å. `--sizes 1000 10000` measures small tables only.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from pymatgen.core import Lattice, Structure

from models.graph.painn.model import PaiNN
from stages.pretrain.pairs import CrystalTexts, read_pairs
from stages.pretrain.task import PretrainTask
from stages.shared.params import Params, load_params
from stages.shared.schemas import GRAPHS_SCHEMA, NARRATIVES_SCHEMA
from stages.shared.tokenizers import build_tokenizer
from stages.shared.towers import build_contrastive_model

ROOT = Path(__file__).resolve().parents[2]
CUTOFF, N_NEIGHBORS = 6.0, 16
BATCH_SIZE, N_BATCHES = 64, 20
VIEWS = ("original", "robocrystallographer")
SENTENCES = [
    "It crystallizes in the tetragonal I4/mmm space group.",
    "Ba(1) is bonded in a distorted square co-planar geometry to four equivalent O(1) atoms.",
    "All Ba(1)-O(1) bond lengths are 2.84 Å.",
    "There are three inequivalent O sites.",
    "In the first O site, O(1) is bonded in a linear geometry to two equivalent Ti(1) atoms.",
    "The band gap of the compound is 1.92 eV.",
]


def sample_graphs() -> pa.Table:
    """Return the crystals of the file as rows of `GRAPHS_SCHEMA`, the nearest neighbours by pymatgen."""
    with np.load(ROOT / "tests/benchmarks/crystals.npz") as file:
        stored = {name: file[f"jarvis/{name}"] for name in ("n_atoms", "atomic_numbers", "frac_coords", "lattice")}
    rows: list[dict[str, Any]] = []
    first = 0
    for n_atoms, lattice in zip(stored["n_atoms"], stored["lattice"], strict=True):
        atoms = slice(first, first := first + int(n_atoms))
        crystal = Structure(Lattice(lattice), stored["atomic_numbers"][atoms], stored["frac_coords"][atoms])
        source, target, image, distance = crystal.get_neighbor_list(CUTOFF)
        by_distance = np.lexsort((distance, source))
        source, target, image = source[by_distance], target[by_distance], image[by_distance]
        near = np.arange(len(source)) - np.searchsorted(source, source) < N_NEIGHBORS
        rows.append(
            {
                "material_id": "",
                "atomic_numbers": stored["atomic_numbers"][atoms],
                "frac_coords": stored["frac_coords"][atoms].ravel(),
                "lattice": lattice.ravel(),
                "edge_source": source[near],
                "edge_target": target[near],
                "edge_image": image[near].ravel(),
                **dict.fromkeys(("occupancy_site", "occupancy_element", "occupancy_fraction"), ()),
            }
        )
    return pa.Table.from_pylist(rows, schema=GRAPHS_SCHEMA)


def write_tables(data: Path, n_crystals: int) -> None:
    """Write the tables that pretraining reads: graphs of a train split, two texts for each, fingerprints."""
    names = [f"crystal-{place:07d}" for place in range(n_crystals)]
    sample = sample_graphs()
    (data / "graphs").mkdir()
    with pq.ParquetWriter(data / "graphs/train.parquet", GRAPHS_SCHEMA, compression="zstd") as graphs:
        for start in range(0, n_crystals, len(sample)):
            group = pa.array(names[start : start + len(sample)])
            graphs.write_table(sample.slice(0, len(group)).set_column(0, GRAPHS_SCHEMA.field(0), group))
    with pq.ParquetWriter(data / "narratives.parquet", NARRATIVES_SCHEMA, compression="zstd") as narratives:
        for start in range(0, n_crystals, len(sample)):
            group = [(name, view) for name in names[start : start + len(sample)] for view in VIEWS]
            texts = [" ".join([f"This is {name}.", *SENTENCES, f"Seen as {view}."]) for name, view in group]
            columns = [pa.array(column) for column in (*zip(*group, strict=True), texts)]
            narratives.write_table(pa.Table.from_arrays(columns, schema=NARRATIVES_SCHEMA))
    pq.write_table(pa.table({"material_id": names, "fingerprint": names}), data / "crystals.parquet")


def open_pairs(data: Path, params: Params) -> CrystalTexts:
    """Prepare the memory-mapped files beside the tables and open them."""
    scratch = data / "scratch"
    scratch.mkdir(exist_ok=True)
    return read_pairs(data, "train", VIEWS, params.encoder, build_tokenizer(params.text_encoder), scratch)


def milliseconds(action: Callable[[np.ndarray], object], batches: Sequence[np.ndarray]) -> float:
    """Return the processor time per batch, the median over the batches."""
    times = []
    for rows in batches:
        start = time.process_time()
        action(rows)
        times.append(time.process_time() - start)
    return float(np.median(times)) * 1e3


def measure_steps(pairs: CrystalTexts, params: Params) -> None:
    """Print what a batch costs and what training on it costs, for PaiNN alone and for pretraining."""
    torch.manual_seed(0)
    random = np.random.RandomState(0)
    own = params.encoder.painn
    encoder = PaiNN(params.encoder.dim, own.n_interactions, own.n_radial, CUTOFF)
    measure_step("painn", pairs, encoder, pairs.graphs.batch, lambda batch: encoder(batch).pooled.square().mean())
    model = build_contrastive_model(params.encoder, params.text_encoder, params.pretrain, CUTOFF, 0)
    task = PretrainTask(pairs, pairs, build_tokenizer(params.text_encoder))
    measure_step("pretrain", pairs, model, lambda rows: task.batch(rows, random), lambda batch: task.loss(model, batch))


def measure_step(
    name: str,
    pairs: CrystalTexts,
    model: torch.nn.Module,
    load: Callable[[np.ndarray], Any],
    loss_of: Callable[[Any], torch.Tensor],
) -> None:
    """Print the line of one model."""
    optimizer = torch.optim.AdamW(model.parameters())

    def train(rows: np.ndarray) -> None:
        optimizer.zero_grad()
        loss_of(load(rows)).backward()
        optimizer.step()

    order = np.random.RandomState(0)
    batches = [order.permutation(len(pairs))[:BATCH_SIZE] for _ in range(N_BATCHES)]
    train(batches[0])  # first run: allocation
    loading, step = milliseconds(load, batches), milliseconds(train, batches)
    line = {
        "case": "step",
        "model": name,
        "batch_size": BATCH_SIZE,
        "threads": torch.get_num_threads(),
        "crystals": len(pairs),
        "atoms_per_batch": len(pairs.graphs.batch(batches[0]).atomic_numbers),
        "loading_ms": round(loading, 2),
        "step_with_loading_ms": round(step, 1),
        "loading_share": round(loading / step, 4),
    }
    print(json.dumps(line), flush=True)


def measure_memory(data: Path, params: Params) -> None:
    """Print the memory of this process, which prepares the files and goes through the table once."""
    before = _status("VmRSS")
    start = time.process_time()
    pairs = open_pairs(data, params)
    prepared = time.process_time()
    random = np.random.RandomState(0)
    task = PretrainTask(pairs, pairs, build_tokenizer(params.text_encoder))
    for rows in np.array_split(random.permutation(len(pairs)), max(1, len(pairs) // BATCH_SIZE)):
        task.batch(rows, random)
    line = {
        "case": "memory",
        "crystals": len(pairs),
        "mapped_mib": round(sum(file.stat().st_size for file in (data / "scratch").iterdir()) / 2**20, 1),
        "before_mib": round(before, 1),
        "resident_mib": round(_status("VmRSS"), 1),
        "peak_mib": round(_status("VmHWM"), 1),
        "prepare_s": round(prepared - start, 2),
        "epoch_s": round(time.process_time() - prepared, 2),
    }
    print(json.dumps(line), flush=True)


def _status(key: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(key))


def main() -> None:
    """Measure the memory of each size in a process of its own, and the step on the largest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--tables", type=Path, help="measure the memory of the tables in this folder only")
    options = parser.parse_args()
    torch.set_num_threads(1)
    params = load_params("encoder", "text_encoder", "pretrain", path=ROOT / "params.yaml")
    if options.tables:
        measure_memory(options.tables, params)
        return
    for n_crystals in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            write_tables(Path(folder), n_crystals)
            command = [sys.executable, "-m", "tests.benchmarks.loading", "--tables", folder]
            subprocess.run(command, check=True, cwd=ROOT)
            if n_crystals == options.sizes[-1]:
                measure_steps(open_pairs(Path(folder), params), params)


if __name__ == "__main__":
    main()
