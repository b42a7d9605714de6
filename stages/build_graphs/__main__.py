"""Write data/graphs/{train,val,test}.parquet from data/crystals.parquet: `python -m stages.build_graphs`."""

from functools import partial
from pathlib import Path

from stages.build_graphs.graphs import CrystalEntry, GraphRejection, graph_row
from stages.shared.errors import run_stage
from stages.shared.parallel import map_ordered
from stages.shared.params import load_params
from stages.shared.progress import say
from stages.shared.schemas import GRAPHS_SCHEMA, SPLITS
from stages.shared.tables import read_table, write_csv, write_table

CRYSTALS = Path("data/crystals.parquet")
GRAPHS = Path("data/graphs")
REJECTED = Path("data/graphs_rejected.csv")


def main() -> None:
    """Read the crystals, build their graphs over processes, write one table per split."""
    params = load_params("build_graphs").build_graphs
    crystals = read_table(CRYSTALS, ["material_id", "source", "source_id", "cif", "split"]).to_pylist()
    entries = [CrystalEntry(crystal["material_id"], crystal["cif"]) for crystal in crystals]
    work = partial(graph_row, cutoff=params.cutoff, max_neighbors=params.max_neighbors)
    results = list(map_ordered(work, entries, params.chunk_size, "build_graphs"))

    rejected = []
    graphs: dict[str, list[dict[str, object]]] = {split: [] for split in SPLITS}
    for crystal, result in zip(crystals, results, strict=True):
        if isinstance(result, GraphRejection):
            rejected.append((crystal["source"], crystal["source_id"], "build_graphs", result.reason))
        else:
            graphs[crystal["split"]].append(result)

    for split, rows in graphs.items():
        columns = {name: [row[name] for row in rows] for name in GRAPHS_SCHEMA.names}
        write_table(GRAPHS / f"{split}.parquet", columns, GRAPHS_SCHEMA)
        say(f"{split}: {len(rows)} graphs")
    write_csv(REJECTED, ("source", "source_id", "stage", "reason"), rejected)
    say(f"{len(crystals)} crystals = {len(crystals) - len(rejected)} graphs + {len(rejected)} rejected")


if __name__ == "__main__":
    run_stage(main)
