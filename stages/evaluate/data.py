"""`python -m stages.evaluate.data`: how many crystals there are, of what, in which split, and what was rejected."""

from pathlib import Path

from stages.evaluate.data_counts import count_crystals, count_known, count_values
from stages.shared.errors import run_stage
from stages.shared.schemas import SPLITS
from stages.shared.tables import read_table
from stages.shared.text_files import read_csv, read_json, write_json

CRYSTALS = Path("data/crystals.parquet")
REJECTS = {
    "generate_cif": Path("data/rejected.csv"),
    "describe": Path("data/describe_rejected.csv"),
    "build_graphs": Path("data/graphs_rejected.csv"),
}


def main() -> None:
    """Count what the data stages delivered."""
    counts = read_json(Path("data/crystals_counts.json"))
    graphs = {split: read_table(Path(f"data/graphs/{split}.parquet"), ["material_id"]).num_rows for split in SPLITS}
    metrics = {
        "source": counts["source"],
        "raw_files": counts["raw_files"],
        "split_manifest": counts["split"],
        "rejected": {stage: len(read_csv(path)) for stage, path in REJECTS.items()},
        "known": count_known(CRYSTALS),
        "text": count_values(Path("data/narratives.parquet"), "view"),
        "graphs": graphs,
        **count_crystals(CRYSTALS),
    }
    write_json(Path("metrics/data.json"), metrics)


if __name__ == "__main__":
    run_stage(main)
