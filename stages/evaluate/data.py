"""`python -m stages.evaluate.data`: how many crystals there are, of what, and what was rejected."""

from pathlib import Path

from stages.evaluate.data_counts import count_crystals, count_known, count_texts
from stages.shared.errors import run_stage
from stages.shared.schemas import SPLITS
from stages.shared.tables import read_csv, read_json, read_table, write_json

REJECTS = {
    "generate_cif": Path("data/rejected.csv"),
    "describe": Path("data/describe_rejected.csv"),
    "build_graphs": Path("data/graphs_rejected.csv"),
}


def main() -> None:
    """Count what the data stages delivered."""
    crystals = read_table(Path("data/crystals.parquet"))
    graphs = {split: read_table(Path(f"data/graphs/{split}.parquet"), ["material_id"]).num_rows for split in SPLITS}
    metrics = {
        "source": read_json(Path("data/crystals_counts.json")),
        "rejected": {stage: len(read_csv(path)) for stage, path in REJECTS.items()},
        "known": count_known(crystals),
        "text": count_texts(read_table(Path("data/narratives.parquet"), ["view"])),
        "graphs": graphs,
        **count_crystals(crystals),
    }
    write_json(Path("metrics/data.json"), metrics)


if __name__ == "__main__":
    run_stage(main)
