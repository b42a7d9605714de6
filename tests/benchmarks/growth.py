"""Time, memory and bytes per crystal as the corpus grows: `python -m tests.benchmarks.growth --sizes 1000,10000`.

Runs `generate_cif` and `build_graphs` on synthetic crystals (see `synthetic_crystals`) in a temporary folder, each in a
process of its own, and prints a JSON line per stage and size, then a table. Needs the requirements of the pipeline and
about 20 kB of disk per crystal.

Time is that of the processors, workers included. What the stages spend on starting is measured with a small corpus and
left out. Processors change their speed from minute to minute, a shared or virtual one by a third. So twice a second of
its time the stage's process stops for a small fixed task: the work per crystal is counted in these tasks, done in the
same seconds at the same speed, and this is what `--check` compares. Memory is the peak of the stage's own process
(VmHWM), which with one worker also does the work; its buffers (a row group of each table, some pages of the store) are
full at about 10,000 crystals, when the validation and test splits have a row group.

The graphs are then written once more as CLaC's first version keeps them (`gen_graph.py`): `edge_index` as two lists of
integers, `edge_attr` as one list of three floats per edge, `node_feat` as one list of 92 floats per atom, with the
settings of `pandas.DataFrame.to_parquet`.

`--check` ends with status 1 where the work per crystal or the memory grows by more than `--tolerance` from the first
size to any other.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models.graph.elements import element_classes
from stages.shared.schemas import SPLITS
from tests.benchmarks.synthetic_crystals import synthetic_documents, write_documents

ROOT = Path(__file__).parents[2]
STAGES = ("generate_cif", "build_graphs")
START_UP_CRYSTALS = 64
_STAGE = """
import re, runpy, sys
from pathlib import Path
from tests.benchmarks.metronome import Metronome
with Metronome() as metronome:
    runpy.run_module(f"stages.{sys.argv[1]}", run_name="__main__")
status = Path("/proc/self/status").read_text()
print(re.search(r"VmHWM:\\s+(\\d+)", status)[1], metronome.speed, metronome.seconds)
"""


@dataclass(frozen=True)
class Run:
    """One run of a stage; `crystals` are those it wrote, `work` is its processor time in tasks of the metronome."""

    stage: str
    crystals: int
    cpu_seconds: float
    work: float
    wall_seconds: float
    peak_mib: float
    written_bytes: int


def run_stage_in(folder: Path, stage: str) -> Run:
    """Run a stage in a folder that has its inputs, in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-c", _STAGE, stage]
    finished = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    peak_kib, speed, ticking = (float(word) for word in finished.stdout.split()[-3:])
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime - ticking
    written = [folder / "data/crystals.parquet"] if stage == "generate_cif" else sorted(folder.glob("data/graphs/*"))
    return Run(
        stage=stage,
        crystals=sum(pq.read_metadata(path).num_rows for path in written),
        cpu_seconds=cpu,
        work=cpu * speed,
        wall_seconds=wall,
        peak_mib=peak_kib / 1024,
        written_bytes=sum(path.stat().st_size for path in written),
    )


def run_size(folder: Path, n_crystals: int) -> list[Run]:
    """Make a corpus in an empty folder and run the stages on it."""
    (folder / "data/raw").mkdir(parents=True)
    shutil.copy(ROOT / "params.yaml", folder)
    raw = folder / "data/raw/materials_project/materials_project.jsonl.gz"
    write_documents(raw, synthetic_documents(ROOT / "data/sample/materials_project.jsonl.gz", n_crystals))
    return [run_stage_in(folder, stage) for stage in STAGES]


def storage(folder: Path) -> dict[str, float]:
    """Return bytes per edge and per atom of the graphs, as they are and in CLaC's schema, on disk and in memory."""
    counts, ours, theirs = np.zeros(2), np.zeros((2, 2)), np.zeros((2, 2))  # edges and atoms; on disk and in memory
    for split in SPLITS:
        path = folder / f"data/graphs/{split}.parquet"
        clac = path.with_suffix(".clac")
        with pq.ParquetWriter(clac, _CLAC_SCHEMA) as writer:
            for batch in pq.ParquetFile(path).iter_batches():
                rows = [_clac_row(row) for row in batch.to_pylist()]
                counts += np.sum([[len(row["edge_attr"]), len(row["node_feat"])] for row in rows], axis=0)
                writer.write_table(pa.Table.from_pylist(rows, schema=_CLAC_SCHEMA))
        ours += _column_bytes(path, ("edge_source", "edge_target", "edge_image"), ("atomic_numbers", "frac_coords"))
        theirs += _column_bytes(clac, ("edge_index", "edge_attr"), ("node_feat",))
        clac.unlink()
    result: dict[str, float] = {}
    for name, sizes in (("", ours), ("clac_", theirs)):
        (edge, edge_in_memory), (atom, atom_in_memory) = sizes / counts[:, None]
        result |= {f"{name}bytes_per_edge": edge, f"{name}bytes_per_edge_in_memory": edge_in_memory}
        result |= {f"{name}bytes_per_atom": atom, f"{name}bytes_per_atom_in_memory": atom_in_memory}
    return {name: float(value) for name, value in result.items()}


_CLAC_SCHEMA = pa.schema(
    [
        ("edge_index", pa.list_(pa.list_(pa.int64()))),
        ("edge_attr", pa.list_(pa.list_(pa.float64()))),
        ("node_feat", pa.list_(pa.list_(pa.float64()))),
    ]
)


def _clac_row(row: dict[str, Any]) -> dict[str, Any]:
    source, target = np.array(row["edge_source"]), np.array(row["edge_target"])
    coords = np.array(row["frac_coords"]).reshape(-1, 3)
    image = np.array(row["edge_image"]).reshape(-1, 3)
    vectors = (coords[target] + image - coords[source]) @ np.array(row["lattice"]).reshape(3, 3)  # (n_edges, 3)
    features = element_classes()[np.array(row["atomic_numbers"])]  # (n_atoms, 92)
    return {
        "edge_index": [source.tolist(), target.tolist()],
        "edge_attr": vectors.tolist(),
        "node_feat": features.tolist(),
    }


def _column_bytes(path: Path, *groups: Sequence[str]) -> np.ndarray:
    """Return the size of each group of columns in the parquet file and as Arrow arrays, (n_groups, 2)."""
    with pq.ParquetFile(path) as file:
        parts = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
        columns = [part.column(number) for part in parts for number in range(part.num_columns)]
        return np.array(
            [
                (
                    sum(part.total_compressed_size for part in columns if part.path_in_schema.split(".")[0] in group),
                    sum(batch.nbytes for batch in file.iter_batches(columns=list(group))),
                )
                for group in groups
            ]
        )


def measured(sizes: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Yield a line per stage and size, without what the start costs, as each is done."""
    with tempfile.TemporaryDirectory() as temporary:
        start_up = {run.stage: run for run in run_size(Path(temporary) / "start", START_UP_CRYSTALS)}
        for size in sizes:
            folder = Path(temporary) / str(size)
            for run in run_size(folder, size):
                start = start_up[run.stage]
                more = run.crystals - start.crystals
                line = {"size": size, **asdict(run)}
                line["ms_per_crystal"] = (run.cpu_seconds - start.cpu_seconds) / more * 1e3
                line["work_per_crystal"] = (run.work - start.work) / more
                line["bytes_per_crystal"] = run.written_bytes / run.crystals
                if run.stage == "build_graphs":
                    line |= storage(folder)
                yield {name: round(value, 3) if isinstance(value, float) else value for name, value in line.items()}
            shutil.rmtree(folder)


def growth_of(lines: Sequence[dict[str, Any]], stage: str, quantity: str) -> float:
    """Return by how much a quantity is larger at any later size than at the first, as a fraction."""
    values = [line[quantity] for line in lines if line["stage"] == stage]
    return max(value / values[0] - 1 for value in values)


def print_table(lines: Sequence[dict[str, Any]]) -> None:
    """Print the measurements as the README shows them."""
    print("| crystals | stage | ms per crystal | work per crystal | peak memory, MiB | bytes per crystal |")
    print("|---:|---|---:|---:|---:|---:|")
    for line in lines:
        time_and_work = f"{line['ms_per_crystal']:.2f} | {line['work_per_crystal']:.3f}"
        numbers = f"{time_and_work} | {line['peak_mib']:.0f} | {line['bytes_per_crystal']:.0f}"
        print(f"| {line['size']} | {line['stage']} | {numbers} |")


def main() -> None:
    """Measure the sizes one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000,10000", help="numbers of crystals, separated by commas")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--check", action="store_true", help="fail where work per crystal or memory grows")
    parser.add_argument("--tolerance", type=float, default=0.05, help="what --check lets pass")
    options = parser.parse_args()
    os.environ["XTALK_WORKERS"] = str(options.workers)
    lines = []
    for line in measured([int(size) for size in options.sizes.split(",")]):
        print(json.dumps(line), flush=True)
        lines.append(line)
    print_table(lines)
    quantities = [(stage, quantity) for stage in STAGES for quantity in ("work_per_crystal", "peak_mib")]
    grown = [
        f"{stage} {quantity}" for stage, quantity in quantities if growth_of(lines, stage, quantity) > options.tolerance
    ]
    if options.check and grown:
        sys.exit(f"more than {options.tolerance:.0%} larger than at the first size: {', '.join(grown)}")


if __name__ == "__main__":
    main()
