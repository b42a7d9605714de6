"""Write data/graphs/{train,val,test}.parquet from data/crystals.parquet: `python -m stages.build_graphs`."""

from contextlib import ExitStack
from functools import partial
from itertools import tee
from pathlib import Path

from stages.build_graphs.graphs import CrystalEntry, GraphRejection, graph_row
from stages.shared.errors import run_stage
from stages.shared.parallel import map_ordered
from stages.shared.params import load_params
from stages.shared.progress import say
from stages.shared.schemas import GRAPHS_SCHEMA, SPLITS
from stages.shared.tables import count_rows, csv_writer, iterate_rows, row_writer

CRYSTALS = Path("data/crystals.parquet")
GRAPHS = Path("data/graphs")
REJECTED = Path("data/graphs_rejected.csv")


def main() -> None:
    """Read the crystals, build their graphs over processes, write one table per split, all row by row."""
    params = load_params("build_graphs").build_graphs
    n_crystals = count_rows(CRYSTALS)
    crystals = iterate_rows(CRYSTALS, ["material_id", "source", "source_id", "cif", "split"])
    rows, to_map = tee(crystal for crystal in crystals if crystal["split"] is not None)
    entries = (CrystalEntry(crystal["material_id"], crystal["cif"]) for crystal in to_map)
    work = partial(graph_row, cutoff=params.cutoff, max_neighbors=params.max_neighbors, selection=params.selection)
    results = map_ordered(work, entries, params.chunk_size, "build_graphs", total=n_crystals)

    with ExitStack() as files:
        rejected = files.enter_context(csv_writer(REJECTED, ("source", "source_id", "stage", "reason")))
        tables = {
            split: files.enter_context(row_writer(GRAPHS / f"{split}.parquet", GRAPHS_SCHEMA)) for split in SPLITS
        }
        for crystal, result in zip(rows, results, strict=True):
            if isinstance(result, GraphRejection):
                rejected.append((crystal["source"], crystal["source_id"], "build_graphs", result.reason))
            else:
                tables[crystal["split"]].append(result)

    for split, table in tables.items():
        say(f"{split}: {table.n_rows} graphs")
    n_graphs = sum(table.n_rows for table in tables.values())
    n_unsplit = n_crystals - n_graphs - rejected.n_rows
    say(f"{n_crystals} crystals = {n_graphs} graphs + {rejected.n_rows} rejected + {n_unsplit} in no split")


if __name__ == "__main__":
    run_stage(main)
