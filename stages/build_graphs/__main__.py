"""Write data/graphs/{train,val,test}.parquet from data/crystals.parquet: `python -m stages.build_graphs`."""

from contextlib import ExitStack
from functools import partial
from operator import attrgetter
from pathlib import Path

from stages.build_graphs.batches import COLUMNS, graph_batch
from stages.shared.errors import run_stage
from stages.shared.parallel import map_ordered
from stages.shared.params import load_params
from stages.shared.progress import say
from stages.shared.schemas import GRAPHS_SCHEMA, SPLITS
from stages.shared.tables import count_rows, iterate_batches, row_writer
from stages.shared.text_files import csv_writer

CRYSTALS = Path("data/crystals.parquet")
GRAPHS = Path("data/graphs")
REJECTED = Path("data/graphs_rejected.csv")


def main() -> None:
    """Read the crystals, build their graphs over processes, write one table per split, all in batches."""
    params = load_params("build_graphs").build_graphs
    n_crystals = count_rows(CRYSTALS)
    crystals = iterate_batches(CRYSTALS, params.chunk_size, COLUMNS)
    work = partial(graph_batch, cutoff=params.cutoff, max_neighbors=params.max_neighbors, selection=params.selection)
    size = attrgetter("n_crystals")
    results = map_ordered(work, crystals, chunk_size=1, label="build_graphs", total=n_crystals, size=size)

    with ExitStack() as files:
        rejected = files.enter_context(csv_writer(REJECTED, ("source", "source_id", "stage", "reason")))
        tables = {
            split: files.enter_context(row_writer(GRAPHS / f"{split}.parquet", GRAPHS_SCHEMA)) for split in SPLITS
        }
        for result in results:
            for split, graphs in result.graphs.items():
                tables[split].append_batch(graphs)
            for row in result.rejected:
                rejected.append(row)

    for split, table in tables.items():
        say(f"{split}: {table.n_rows} graphs")
    n_graphs = sum(table.n_rows for table in tables.values())
    n_unsplit = n_crystals - n_graphs - rejected.n_rows
    say(f"{n_crystals} crystals = {n_graphs} graphs + {rejected.n_rows} rejected + {n_unsplit} in no split")


if __name__ == "__main__":
    run_stage(main)
