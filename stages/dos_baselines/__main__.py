"""Train the baselines of the DOS transformer on one kind of spectrum: `python -m stages.dos_baselines phonon`."""

import sys
from functools import partial
from pathlib import Path

from stages.dos_baselines.networks import NETWORKS
from stages.dos_baselines.outputs import write_predictions
from stages.dos_baselines.side_by_side import trained_predictions
from stages.shared.dos_kind import chosen_kind
from stages.shared.embeddings import EMBEDDINGS, embedding_width
from stages.shared.errors import run_stage
from stages.shared.parallel import map_apart
from stages.shared.params import load_params
from stages.shared.progress import say
from stages.shared.runtime import choose_device
from stages.shared.scratch import scratch_folder
from stages.shared.spectra import read_spectra

DATA = Path("data")


def main() -> None:
    """Read spectra, train each network as the DOS transformer is trained, write their predictions."""
    params = load_params("build_graphs", "encoder", "dos", "dos_kinds")
    kind = chosen_kind(sys.argv[1:], params.dos_kinds)
    inputs = [DATA / name for name in ("graphs", EMBEDDINGS, "crystals.parquet")]
    with scratch_folder(f"dos_baselines@{kind}", params, inputs) as scratch:
        examples = read_spectra(DATA, kind, params.dos_kinds[kind], params.encoder, scratch)
        if not len(examples.of_split("train")):
            say(f"{kind}: no crystal of the train split has a density of states, so there is nothing to learn")
            write_predictions(DATA, kind, examples, {})
            return
        work = partial(
            trained_predictions,
            examples=examples,
            params=params,
            kind=kind,
            embedding_dim=embedding_width(DATA, params.encoder),
            scratch=scratch.resolve(),
        )
        # networks on one GPU would only wait for each other
        spectra = map(work, NETWORKS) if choose_device() == "cuda" else map_apart(work, NETWORKS)
        write_predictions(DATA, kind, examples, dict(zip(NETWORKS, spectra, strict=True)))


if __name__ == "__main__":
    run_stage(main)
