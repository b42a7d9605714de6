"""Write data/crystals.parquet from the raw files of all sources: `python -m stages.generate_cif`."""

from pathlib import Path

from stages.generate_cif.collect import collect_crystals
from stages.generate_cif.splits import split_group, split_of
from stages.shared.errors import run_stage
from stages.shared.params import load_params
from stages.shared.progress import say
from stages.shared.schemas import CRYSTALS_SCHEMA
from stages.shared.tables import write_csv, write_json, write_table

RAW = Path("data/raw")
CRYSTALS = Path("data/crystals.parquet")
REJECTED = Path("data/rejected.csv")
NOTES = Path("data/notes.csv")
COUNTS = Path("data/crystals_counts.json")


def main() -> None:
    """Read the raw rows of all sources, write the table of crystals and the books."""
    params = load_params("generate_cif").generate_cif
    crystals, ledger = collect_crystals(RAW, params)

    rows = [dict(crystal.columns) for crystal in crystals]
    for row in rows:
        group = split_group(params.split.scheme, row["material_id"], row["formula"])
        row["split"] = split_of(group, params.split.seed, params.split.train, params.split.val)

    write_table(CRYSTALS, {name: [row[name] for row in rows] for name in CRYSTALS_SCHEMA.names}, CRYSTALS_SCHEMA)
    write_csv(REJECTED, ("source", "source_id", "stage", "reason"), ledger.rejected)
    write_csv(NOTES, ("source", "source_id", "stage", "note"), ledger.notes)
    write_json(COUNTS, {source: counts.as_dict() for source, counts in ledger.counts.items()})
    for sentence in ledger.summary():
        say(sentence)
    if not rows:
        say("there is no crystal: every later stage will have nothing to work on")


if __name__ == "__main__":
    run_stage(main)
