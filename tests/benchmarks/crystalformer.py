"""Time and memory of Crystalformer, one JSON line per case: `python -m tests.benchmarks.crystalformer`.

Needs torch and numpy alone. The crystals in `crystals.npz` beside it are from data/sample, many as supercells. Atoms
are moved by 0.02 Å. A mix of small cells, one with the cell sizes of JARVIS dft_3d, and cells of 216 and 500 atoms.
`--reference` also times the dense reference of the tests on the small batches. It looks at 125 images of every pair and
builds a radial tensor for every pair and image in each block, as the published PyTorch path does.

Each case runs in a process of its own, as memory that an earlier case has used and freed would not count again.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.graph.batch import CrystalBatch
from models.graph.crystalformer.model import Crystalformer
from tests.models.dense_crystalformer import DenseCrystalformer

CASES = (("small", 32), ("small", 128), ("jarvis", 32), ("jarvis", 128), ("cell200", 1), ("cell500", 1))
REPEATS = 7


@dataclass(frozen=True)
class Case:
    """A batch to measure: the first crystals of a set, `reference` for the dense reference.

    `gauss_scales` are those of the attention widths, block by block.
    """

    crystals: str
    n_crystals: int
    reference: bool
    threads: int
    gauss_scales: list[list[float]]


def read_crystals(name: str, n_crystals: int) -> CrystalBatch:
    """Return the first crystals of a set as one batch."""
    with np.load(Path(__file__).with_name("crystals.npz")) as file:
        n_atoms = file[f"{name}/n_atoms"][:n_crystals]
        total = int(n_atoms.sum())
        no_edges = torch.zeros(0, dtype=torch.int64)
        return CrystalBatch(
            atomic_numbers=torch.from_numpy(file[f"{name}/atomic_numbers"][:total].astype(np.int64)),
            frac_coords=torch.from_numpy(file[f"{name}/frac_coords"][:total]),
            lattice=torch.from_numpy(file[f"{name}/lattice"][:n_crystals]),
            batch=torch.from_numpy(np.repeat(np.arange(n_crystals), n_atoms)),
            edge_source=no_edges,
            edge_target=no_edges,
            edge_image=torch.zeros(0, 3),
        )


def build_encoder() -> Crystalformer:
    """Return the encoder at its published size, the same in every process."""
    torch.manual_seed(0)
    return Crystalformer(dim=128, n_blocks=4, n_heads=8, feed_forward_dim=512)


def calibrated_scales() -> list[list[float]]:
    """Return the scales of the attention widths, calibrated on the large batch."""
    encoder = build_encoder()
    encoder.calibrate(read_crystals("jarvis", 128))
    return [scale.tolist() for name, scale in encoder.named_buffers() if name.endswith("gauss_scale")]


def measure(case: Case) -> dict[str, object]:
    """Return the line of a case; to be called in a process that has measured nothing before."""
    torch.set_num_threads(case.threads)
    encoder = build_encoder()
    scales = [scale for name, scale in encoder.named_buffers() if name.endswith("gauss_scale")]
    for scale, values in zip(scales, case.gauss_scales, strict=True):
        scale.copy_(torch.tensor(values))
    device = "cuda" if torch.cuda.is_available() and not case.reference else "cpu"
    model: nn.Module = DenseCrystalformer.of(encoder) if case.reference else encoder.to(device)
    crystals = read_crystals(case.crystals, case.n_crystals).to(device)

    def step(crystals: CrystalBatch = crystals) -> Tensor:
        model.zero_grad()
        pooled: Tensor = model(crystals).pooled
        return pooled.square().sum()

    step(read_crystals("small", 1).to(device)).backward()  # whatever is set up once
    before = _reset_peak()
    step().backward()
    _synchronize()
    peak = _peak()
    repeats = 2 if case.reference else REPEATS
    forward, both = (fastest(step, backward, repeats) for backward in (False, True))
    n_pairs = int(torch.bincount(crystals.batch).square().sum())
    return {
        "model": "dense reference" if case.reference else "xtalk",
        "device": device,
        "threads": case.threads,
        "case": case.crystals,
        "crystals": case.n_crystals,
        "atoms": len(crystals.batch),
        "pairs": n_pairs,
        "forward_ms": round(forward * 1e3, 2),
        "forward_backward_ms": round(both * 1e3, 2),
        "microseconds_per_pair": round(both / n_pairs * 1e6, 2),
        "microseconds_per_atom": round(both / len(crystals.batch) * 1e6, 1),
        "peak_mib": None if peak is None or before is None else round(peak - before, 1),
    }


def fastest(step: Callable[[], Tensor], backward: bool, repeats: int) -> float:
    """Return the seconds of the fastest run."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        with torch.set_grad_enabled(backward):
            out = step()
            if backward:
                out.backward()
        _synchronize()
        times.append(time.perf_counter() - start)
    return min(times)


def _reset_peak() -> float | None:
    """Forget the highest use of memory so far; return the present one in MiB, None where it cannot be told."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated() / 2**20
    clear = Path("/proc/self/clear_refs")
    if not clear.exists():
        return None
    clear.write_text("5", encoding="ascii")
    return _status("VmRSS")


def _peak() -> float | None:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return _status("VmHWM") if Path("/proc/self/status").exists() else None


def _status(key: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(key))


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def main() -> None:
    """Measure every case, on the GPU where torch sees one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--reference", action="store_true", help="time the dense reference as well (minutes)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    batches = [(*case, False) for case in CASES]
    if options.reference:
        batches += [(*case, True) for case in (CASES[0], CASES[2])]
    scales = calibrated_scales()
    with get_context("spawn").Pool(1, maxtasksperchild=1) as one_process_per_case:
        cases = [Case(*batch, options.threads, scales) for batch in batches]
        for line in one_process_per_case.imap(measure, cases, chunksize=1):
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
