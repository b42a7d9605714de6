"""Crystals per second of the graph stage, and of the two routes CLaC takes: `python -m tests.benchmarks.graphs`.

Prints one JSON line per measurement, all on the same crystals in the same run: those of data/crystals.parquet (made by
`dvc repro generate_cif`), or some of them with `--crystals`, then their supercells of 50 to 500 atoms.

`ase` is CLaC's route of today: `ase.neighborlist.neighbor_list` at 6 Å without a cap, edge vectors, and for each atom
92 features from a JSON file, which the published code opens and reads anew for every atom (CLaC, datamodule.py). Our
graphs hold atomic numbers, from which the model looks features up; so the edges alone are compared too.
`jarvis` is its first route: the 12 nearest neighbours within 8 Å, each edge with its reverse, by JARVIS-tools
(`jarvis.core.graphs`), with the features of the atoms and without DGL's graph object and line graph.
Each is compared with `periodic_neighbors` of the same cutoff and cap. Both start from a crystal in memory; `graph_row`
starts from the CIF text, `build_graphs` is all of our stage, from file to file. Times are of the processor, on one
core, but those of `build_graphs`, which are by the clock.

JARVIS-tools, matscipy, vesin and ASE are measured where they are installed:
`pip install jarvis-tools==2026.6.12 matscipy==1.3.1 vesin==0.6.2`.
"""

import argparse
import contextlib
import importlib
import importlib.util
import io
import itertools
import json
import os
import shutil
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pymatgen.core import Structure
from pymatgen.optimization.neighbors import find_points_in_spheres

from models.graph.elements import element_classes
from stages.build_graphs import __main__ as build_graphs
from stages.build_graphs.batches import COLUMNS
from stages.build_graphs.graphs import CrystalEntry, graph_row
from stages.build_graphs.neighbors import periodic_neighbors
from stages.shared import parallel
from stages.shared.structures import structure_from_cif
from stages.shared.tables import read_table, write_table

CRYSTALS = Path("data/crystals.parquet")
ASE_CUTOFF = 6.0  # Å
JARVIS_CUTOFF, JARVIS_NEIGHBORS = 8.0, 12  # Å
SUPERCELLS = 12
SECONDS_OF_WORK = 20.0
PACKAGES = ("ase", "jarvis", "matscipy", "vesin")
Route = Callable[[Any], object]
Arrays = tuple[NDArray[np.float64], NDArray[np.float64]]


def as_ase(structure: Structure) -> Any:
    """Return the crystal as ASE's `Atoms`."""
    ase = importlib.import_module("ase")
    numbers = [site.species.elements[0].Z for site in structure]
    return ase.Atoms(numbers, positions=structure.cart_coords, cell=structure.lattice.matrix, pbc=True)


def ase_edges(atoms: Any) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return source, target, image and edge vector (n_edges, 3) in Å of all neighbours within 6 Å."""
    neighbor_list = importlib.import_module("ase.neighborlist").neighbor_list
    source, target, image = neighbor_list("ijS", atoms, ASE_CUTOFF)
    return source, target, image, atoms.positions[target] + image @ atoms.cell.array - atoms.positions[source]


def ase_route(atoms: Any, feature_file: Path) -> None:
    """Build edges and read the features of each atom."""
    ase_edges(atoms)
    np.array([json.loads(feature_file.read_text(encoding="utf-8"))[str(z)] for z in atoms.numbers])


def jarvis_graphs() -> Any:
    """Return `jarvis.core.graphs`. It imports DGL, which the functions used here do not need; a stand-in will do."""
    if "dgl" not in sys.modules and not is_installed("dgl"):
        sys.modules["dgl"] = types.SimpleNamespace(DGLGraph=object)  # type: ignore[assignment]
    return importlib.import_module("jarvis.core.graphs")


def as_jarvis(structure: Structure) -> Any:
    """Return the crystal as JARVIS's `Atoms`."""
    symbols = [site.species.elements[0].symbol for site in structure]
    matrix, coords = structure.lattice.matrix, structure.frac_coords
    return importlib.import_module("jarvis.core.atoms").Atoms(lattice_mat=matrix, coords=coords, elements=symbols)


def jarvis_route(atoms: Any) -> None:
    """Build edges with their vectors, and the features of each atom, as `Graph.atom_dgl_multigraph` does."""
    graphs = jarvis_graphs()
    edges = graphs.nearest_neighbor_edges(atoms, cutoff=JARVIS_CUTOFF, max_neighbors=JARVIS_NEIGHBORS)
    graphs.build_undirected_edgedata(atoms, edges)
    np.array([list(graphs.get_node_attributes(symbol, atom_features="cgcnn")) for symbol in atoms.elements])


def searches() -> dict[str, Route]:
    """Return the bare searches for all pairs within 6 Å, functions of (positions, lattice), by package."""
    found: dict[str, Route] = {"pymatgen": _pymatgen_search}
    if is_installed("vesin"):
        search = importlib.import_module("vesin").NeighborList(cutoff=ASE_CUTOFF, full_list=True)
        found["vesin"] = partial(_vesin_search, search)
    if is_installed("matscipy"):
        found["matscipy"] = partial(_matscipy_search, importlib.import_module("matscipy.neighbours").neighbour_list)
    if is_installed("ase"):
        found["ase"] = partial(_ase_search, importlib.import_module("ase.neighborlist").primitive_neighbor_list)
    return found


def _pymatgen_search(crystal: Arrays) -> None:
    positions, lattice = crystal
    find_points_in_spheres(positions, positions, ASE_CUTOFF, np.ones(3, dtype=np.int64), lattice)


def _vesin_search(search: Any, crystal: Arrays) -> None:
    search.compute(*crystal, periodic=True, quantities="ijSd")


def _matscipy_search(search: Any, crystal: Arrays) -> None:
    positions, lattice = crystal
    search("ijSd", positions=positions, cell=lattice, pbc=np.ones(3, dtype=bool), cutoff=ASE_CUTOFF)


def _ase_search(search: Any, crystal: Arrays) -> None:
    positions, lattice = crystal
    search("ijSd", (True, True, True), lattice, positions, ASE_CUTOFF)


def is_installed(package: str) -> bool:
    """Tell whether a package can be imported."""
    return importlib.util.find_spec(package) is not None


def crystals_per_second(
    routes: Mapping[str, Route], crystals: Mapping[str, Sequence[Any]], repeats: int
) -> dict[str, float]:
    """Return the rate of each route on the same crystals, in seconds of the processor.

    The routes take turns, and of every crystal the fastest of `repeats` runs counts: what else the machine does in the
    meantime then weighs little, and equally.

    Args:
        routes: a function of a crystal by name.
        crystals: the crystals as each route takes them.
        repeats: runs per crystal and route.
    """
    seconds = {name: np.full(len(crystals[name]), np.inf) for name in routes}
    for _ in range(repeats):
        for name, route in routes.items():
            for place, crystal in enumerate(crystals[name]):
                start = time.process_time()
                route(crystal)
                seconds[name][place] = min(seconds[name][place], time.process_time() - start)
    return {name: len(fastest) / float(fastest.sum()) for name, fastest in seconds.items()}


def measure_routes(structures: Sequence[Structure], repeats: int) -> Iterator[dict[str, Any]]:
    """Yield the rates of CLaC's routes and of ours, with the ratio."""
    if is_installed("ase"):
        with tempfile.TemporaryDirectory() as folder:
            feature_file = Path(folder) / "atom_init.json"
            table = {str(z): row for z, row in enumerate(element_classes().int().tolist()) if z}
            feature_file.write_text(json.dumps(table), encoding="utf-8")
            atoms = [as_ase(structure) for structure in structures]
            routes: dict[str, Route] = {
                "ase": partial(ase_route, feature_file=feature_file),
                "ase, edges alone": ase_edges,
            }
            crystals = dict.fromkeys(routes, atoms)
            yield from _compare(routes, crystals, structures, ASE_CUTOFF, 0, repeats)
    if is_installed("jarvis"):
        crystals = {"jarvis": [as_jarvis(structure) for structure in structures]}
        yield from _compare({"jarvis": jarvis_route}, crystals, structures, JARVIS_CUTOFF, JARVIS_NEIGHBORS, repeats)


def _compare(
    routes: Mapping[str, Route],
    crystals: Mapping[str, Sequence[Any]],
    structures: Sequence[Structure],
    cutoff: float,
    max_neighbors: int,
    repeats: int,
) -> Iterator[dict[str, Any]]:
    ours = "periodic_neighbors"
    routes = {ours: partial(periodic_neighbors, cutoff=cutoff, max_neighbors=max_neighbors), **routes}
    rates = crystals_per_second(routes, {ours: structures, **crystals}, repeats)
    for name, rate in rates.items():
        line = {"route": name, "cutoff": cutoff, "max_neighbors": max_neighbors, "crystals_per_second": _rounded(rate)}
        yield line if name == ours else line | {"periodic_neighbors_is_faster_by": _rounded(rates[ours] / rate)}


def measure_searches(structures: Sequence[Structure], repeats: int) -> Iterator[dict[str, Any]]:
    """Yield the rate of every search at hand."""
    arrays = [(np.ascontiguousarray(one.cart_coords), np.ascontiguousarray(one.lattice.matrix)) for one in structures]
    routes = searches()
    for package, rate in crystals_per_second(routes, dict.fromkeys(routes, arrays), repeats).items():
        yield {"search": package, "cutoff": ASE_CUTOFF, "crystals_per_second": _rounded(rate)}


def measure_stage(crystals: pa.Table, repeats: int) -> Iterator[dict[str, Any]]:
    """Yield the rate of `graph_row`, then that of all of the stage by the clock, by one process and by two workers.

    The stage reads its table of crystals, here many copies of `crystals`, and writes its graphs, in a folder that goes.
    The two take turns, and the ratio is the median of those of neighbouring runs: processors change their speed from
    minute to minute.
    """
    entries = [CrystalEntry(row["material_id"], row["cif"]) for row in crystals.to_pylist()]
    work = partial(graph_row, cutoff=6.0, max_neighbors=16)
    rate = crystals_per_second({"graph_row": work}, {"graph_row": entries}, 1)["graph_row"]
    yield {"route": "graph_row", "crystals_per_second": _rounded(rate)}
    many = pa.concat_tables([crystals] * max(1, round(SECONDS_OF_WORK * rate / len(entries))))
    parallel.SECONDS_BEFORE_WORKERS = 0.0
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy("params.yaml", folder)
        with contextlib.chdir(folder):
            write_table(CRYSTALS, {name: many[name] for name in many.schema.names}, many.schema)
            run_stage_by(2)  # starts the processes
            runs = [[run_stage_by(workers) for workers in (1, 2)] for _ in range(repeats)]
    pairs = np.array(runs)  # (repeats, one or two workers, seconds and the caller's own)
    seconds, own = np.median(pairs, axis=0).T / len(many)
    ratio = float(np.median(pairs[:, 0, 0] / pairs[:, 1, 0]))
    for workers, each, callers in zip((1, 2), seconds.tolist(), own.tolist(), strict=True):
        line = {"route": "build_graphs", "workers": workers, "crystals_per_second": _rounded(1 / each)}
        line["callers_microseconds_per_crystal"] = _rounded(callers * 1e6)
        yield line if workers == 1 else line | {"ratio_to_one_worker": _rounded(ratio)}


def run_stage_by(workers: int) -> tuple[float, float]:
    """Run `build_graphs` here; return the seconds it took and those of the process that hands out work and writes."""
    os.environ["XTALK_WORKERS"] = str(workers)
    start, own_start = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        build_graphs.main()
    return time.perf_counter() - start, time.process_time() - own_start


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def supercells(structures: Sequence[Structure]) -> list[Structure]:
    """Return supercells of 50 to 500 atoms of the first crystals."""
    shapes = [(structure, repeat) for structure in structures for repeat in ((2, 2, 2), (3, 3, 3), (4, 4, 4))]
    fitting = ((structure, repeat) for structure, repeat in shapes if 50 <= len(structure) * np.prod(repeat) <= 500)
    return [structure * repeat for structure, repeat in itertools.islice(fitting, SUPERCELLS)]


def main() -> None:
    """Measure both sets of crystals and print the lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crystals", type=int, help="measure the first of them only")
    parser.add_argument("--repeats", type=int, default=5, help="the fastest of so many counts, of the stage the median")
    options = parser.parse_args()
    table = read_table(CRYSTALS, COLUMNS).slice(0, options.crystals)
    structures = [structure_from_cif(cif) for cif in table["cif"].to_pylist()]
    for package in PACKAGES:
        if not is_installed(package):
            print(json.dumps({"left_out": f"{package} is not installed"}))
    for name, chosen in (("crystals", structures), ("supercells", supercells(structures))):
        start = {"set": name, "crystals": len(chosen), "atoms": sum(len(structure) for structure in chosen)}
        for line in itertools.chain(measure_searches(chosen, options.repeats), measure_routes(chosen, options.repeats)):
            print(json.dumps(start | line), flush=True)
    for line in measure_stage(table, options.repeats):
        print(json.dumps({"set": "crystals", **line}), flush=True)


if __name__ == "__main__":
    main()
