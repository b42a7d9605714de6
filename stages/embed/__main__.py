"""Write data/embeddings.parquet: `python -m stages.embed`.

With `--model chgnet` it writes a table to look at, or to use on another machine, whatever params.yaml says.
"""

import argparse
from pathlib import Path

from stages.embed.collect import MODELS, Embedded, embed_all, load_embedder
from stages.embed.embedder import CrystalEntry
from stages.shared.embeddings import EMBEDDINGS
from stages.shared.errors import run_stage
from stages.shared.params import load_params
from stages.shared.progress import say
from stages.shared.schemas import EMBEDDINGS_SCHEMA
from stages.shared.tables import read_table, write_table
from stages.shared.text_files import write_csv

DATA = Path("data")


def main() -> None:
    """Read the crystals, describe each by a pretrained model, write the embeddings and who has none."""
    options = parse_arguments()
    params = load_params("encoder").encoder
    directory = Path(params.precomputed.directory)
    path = options.out or (directory / f"{options.model}.parquet" if options.model else DATA / EMBEDDINGS)
    if options.model or params.name == "precomputed":
        crystals = read_table(DATA / "crystals.parquet", ["material_id", "cif"]).to_pylist()
        embedder = load_embedder(options.model or params.precomputed.model, directory)
        embedded = embed_all(embedder, [CrystalEntry(**crystal) for crystal in crystals])
        n_embedded, n_rejected = len(embedded.embeddings), len(embedded.reasons)
        say(f"{len(crystals)} crystals = {n_embedded} embeddings in {path} + {n_rejected} without")
    else:
        embedded = Embedded({}, {})
        say(f"encoder.name is {params.name}, which reads no embeddings")
    columns = {"material_id": list(embedded.embeddings), "embedding": list(embedded.embeddings.values())}
    write_table(path, columns, EMBEDDINGS_SCHEMA)
    write_csv(path.with_name(f"{path.stem}_rejected.csv"), ("material_id", "reason"), list(embedded.reasons.items()))


def parse_arguments() -> argparse.Namespace:
    """Return `model` and `out`, both None when the pipeline runs the stage."""
    parser = argparse.ArgumentParser(prog="python -m stages.embed", description=__doc__)
    parser.add_argument("--model", choices=MODELS, help="run this model instead of what params.yaml asks for")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the .parquet to write")
    return parser.parse_args()


if __name__ == "__main__":
    run_stage(main)
