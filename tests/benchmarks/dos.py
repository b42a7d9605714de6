"""Time and memory of the published DOS transformer, one JSON line per case: `python -m tests.benchmarks.dos`.

The published configuration (256 features, 3 graph layers, 2 blocks in each transformer) on displaced cells of SrTiO3
and CsCl: a batch of 32 crystals of 2 to 60 atoms, and one large cell. `dense` computes it as the published code does,
see tests/models/dense_dos_transformer.py, in its precision: double for phonons; both forms are measured in single
precision, too. `bf16-mixed` is what `XTALK_PRECISION=bf16-mixed` trains with. All use the fastest kernels that the
processor has; `--reproducible` takes those of the pipeline instead, for single and double precision.

Each case runs in a process of its own. Times are of the processor, forward and backward of both branches with their
loss, the fastest of some runs. `peak_mib` is what a process needs at its highest beyond what it needed after a run of
two atoms. It is measured in another process, where MALLOC_MMAP_THRESHOLD_ lets the C library keep no large block for
later: how much it keeps otherwise depends on the order of the sizes, and comes on top.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pymatgen.core import Lattice, Structure
from torch import nn

from models.dos.transformer import DosTransformer
from models.graph.batch import CrystalBatch
from stages import TRAINING_KERNELS
from stages.build_graphs.neighbors import periodic_neighbors
from tests.models.dense_dos_transformer import DenseDosTransformer

PEROVSKITE = Structure(
    Lattice.cubic(3.905),
    ["Sr", "Ti", "O", "O", "O"],
    [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
)
CESIUM_CHLORIDE = Structure(Lattice.cubic(4.12), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
DISPLACEMENT = 0.05  # Å
BINS = {"phonon": 51, "electron": 201}
NEIGHBORS = {"phonon": (4.0, 0), "electron": (8.0, 12)}  # cutoff in Å, most neighbours
PUBLISHED_PRECISION = {"phonon": "64-true", "electron": "32-true"}
SIZES = (2, 4, 5, 8, 10, 12, 15, 16, 20, 24, 30, 40, 60)
CASES = {
    "mixed": [SIZES[i % len(SIZES)] for i in range(32)],
    "cell500": [500],
    "cell1000": [1000],
    "cell2000": [2000],
}
DENSE_CASES = ("mixed", "cell500")
REPEATS = 5


def displaced_cell(n_atoms: int, kind: str, random: np.random.RandomState) -> CrystalBatch:
    """One supercell of SrTiO3 or, where 5 does not divide its atoms, of CsCl, float32."""
    structure = (CESIUM_CHLORIDE if n_atoms % 5 else PEROVSKITE).copy()
    structure.make_supercell(near_cube(n_atoms // len(structure)))
    for index in range(n_atoms):
        shift = random.normal(scale=DISPLACEMENT, size=3)
        structure.translate_sites([index], shift, frac_coords=False, to_unit_cell=False)
    cutoff, max_neighbors = NEIGHBORS[kind]
    edges = periodic_neighbors(structure, cutoff, max_neighbors, "exactly")
    return CrystalBatch(
        atomic_numbers=torch.tensor(structure.atomic_numbers),
        frac_coords=torch.from_numpy(structure.frac_coords).float(),
        lattice=torch.from_numpy(structure.lattice.matrix.copy()).float()[None],
        batch=torch.zeros(n_atoms, dtype=torch.int64),
        edge_source=torch.from_numpy(edges.source),
        edge_target=torch.from_numpy(edges.target),
        edge_image=torch.from_numpy(edges.image).float(),
    )


def near_cube(n_cells: int) -> list[int]:
    """Three factors of a number, as equal as can be."""
    options = (
        [a, b, n_cells // (a * b)] for a in range(1, n_cells + 1) for b in range(1, a + 1) if n_cells % (a * b) == 0
    )
    return min(options, key=max)


def measure(name: str, kind: str, form: str, precision: str) -> dict[str, Any]:
    """Return the line of one case, whose memory counts if nothing else has run in this process."""
    torch.manual_seed(0)
    random = np.random.RandomState(0)
    smallest, *cells = (displaced_cell(n_atoms, kind, random) for n_atoms in (2, *CASES[name]))
    crystals = CrystalBatch.concatenate(cells)
    n_global_inputs = 2 if kind == "electron" else 0
    model = DosTransformer.published(kind, BINS[kind], 256, 3, 2, n_global_inputs=n_global_inputs)
    if precision == "64-true":
        model = model.double()
        for batch in (smallest, crystals):
            batch.frac_coords, batch.lattice = batch.frac_coords.double(), batch.lattice.double()
    module: nn.Module = DenseDosTransformer(model) if form == "dense" else model
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
        forward_backward(module, smallest, n_global_inputs)  # what is loaded at the first run is not the batch's
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak counts from here
        before = status("VmRSS")
        times = [forward_backward(module, crystals, n_global_inputs) for _ in range(REPEATS)]
    return {
        "case": name,
        "kind": kind,
        "form": form,
        "precision": precision,
        "threads": torch.get_num_threads(),
        "crystals": crystals.n_crystals,
        "atoms": len(crystals.batch),
        "edges": len(crystals.edge_source),
        "forward_backward_s": round(min(times), 3),
        "ms_per_atom": round(1e3 * min(times) / len(crystals.batch), 2),
        "peak_mib": round(status("VmHWM") - before),
    }


def forward_backward(module: nn.Module, crystals: CrystalBatch, n_global_inputs: int) -> float:
    """Run once, with gradients made anew, and return the seconds of the processor."""
    module.zero_grad()
    systems = torch.zeros(crystals.n_crystals, dtype=torch.int64)
    global_inputs = crystals.lattice.new_ones(crystals.n_crystals, n_global_inputs)
    start = time.process_time()
    prediction = module(crystals, systems, global_inputs)
    (prediction.global_spectrum.square().mean() + prediction.system_spectrum.square().mean()).backward()
    return time.process_time() - start


def status(key: str) -> float:
    """Memory of this process in MiB: VmRSS, what it has now, or VmHWM, the most it had since the peak was reset."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(key))


def forms(kind: str, case: str) -> Iterator[tuple[str, str]]:
    """Form and precision of each line of a case."""
    yield "ours", "32-true"
    if case in DENSE_CASES:
        yield "dense", "32-true"
    if case == "mixed":
        yield "ours", "bf16-mixed"
        if PUBLISHED_PRECISION[kind] != "32-true":
            yield "dense", PUBLISHED_PRECISION[kind]


def in_new_process(case: list[str], threads: int, reproducible: bool) -> dict[str, Any]:
    """Measure time and memory of a case, each in a process of its own."""
    # stages/__init__.py chooses the kernels by XTALK_PRECISION, and has chosen already in this process
    fast = not reproducible or case[-1] == "bf16-mixed"
    environment = {name: value for name, value in os.environ.items() if name not in TRAINING_KERNELS}
    environment["XTALK_PRECISION"] = "bf16-mixed" if fast else "32-true"
    command = [sys.executable, "-m", "tests.benchmarks.dos", "--threads", str(threads), "--case", *case]
    lines = []
    for allocator in ({}, {"MALLOC_MMAP_THRESHOLD_": str(1 << 17)}):
        finished = subprocess.run(command, check=True, capture_output=True, text=True, env=environment | allocator)
        lines.append(json.loads(finished.stdout))
    timed, weighed = lines
    return {**timed, "peak_mib": weighed["peak_mib"]}


def main() -> None:
    """Measure every case, or the one that is named, on the CPU of a Linux machine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--reproducible", action="store_true", help="the kernels of the pipeline")
    parser.add_argument("--cases", default=",".join(CASES), help="some of the cases, separated by commas")
    parser.add_argument("--case", nargs=4, metavar=("CASE", "KIND", "FORM", "PRECISION"), help="one in this process")
    options = parser.parse_args()
    if options.case:
        torch.set_num_threads(options.threads)
        print(json.dumps(measure(*options.case)))
        return
    for kind in BINS:
        for name in options.cases.split(","):
            for form, precision in forms(kind, name):
                line = in_new_process([name, kind, form, precision], options.threads, options.reproducible)
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
