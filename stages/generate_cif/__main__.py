"""Write data/crystals.parquet from the raw files of all sources: `python -m stages.generate_cif`."""

from contextlib import closing
from pathlib import Path

from stages.generate_cif.collect import collect_crystals
from stages.generate_cif.ledger import Ledger
from stages.generate_cif.manifest import SplitManifest
from stages.generate_cif.splits import make_splitter
from stages.generate_cif.store import CrystalStore
from stages.shared.errors import run_stage
from stages.shared.params import load_params
from stages.shared.progress import say
from stages.shared.schemas import crystals_schema
from stages.shared.sources.files import read_manifest
from stages.shared.tables import row_writer
from stages.shared.text_files import csv_writer, write_json

RAW = Path("data/raw")
CRYSTALS = Path("data/crystals.parquet")
REJECTED = Path("data/rejected.csv")
NOTES = Path("data/notes.csv")
COUNTS = Path("data/crystals_counts.json")


def main() -> None:
    """Read the raw rows of all sources, write the table of crystals and the books."""
    params = load_params("generate_cif").generate_cif
    with (
        closing(CrystalStore()) as store,
        csv_writer(REJECTED, ("source", "source_id", "stage", "reason")) as rejected,
        csv_writer(NOTES, ("source", "source_id", "stage", "note")) as notes,
    ):
        ledger = Ledger(rejected, notes)
        collect_crystals(RAW, params, store, ledger)
        splitter = make_splitter(params.split, (formula for formula, _ in store.structure_keys()), RAW)
        manifest = SplitManifest(splitter)
        unknown = dict.fromkeys(store.own_properties)
        with row_writer(CRYSTALS, crystals_schema(store.own_properties)) as table:
            for crystal in store.sorted_by_id():
                split = manifest.add(crystal.columns)
                table.append({**crystal.columns, **unknown, **crystal.own_properties, "split": split})
            manifest.check()

    sources = {source: counts.as_dict() for source, counts in ledger.counts.items()}
    origins = {source: read_manifest(RAW / source) for source in ledger.counts}
    write_json(COUNTS, {"source": sources, "split": manifest.as_dict(), "raw_files": origins})
    for sentence in (*ledger.summary(), *manifest.summary()):
        say(sentence)
    if table.n_rows == 0:
        say("there is no crystal: every later stage will have nothing to work on")


if __name__ == "__main__":
    run_stage(main)
