"""Train the baselines of the DOS transformer on one kind of spectrum: `python -m stages.dos_baselines phonon`."""

import sys
from pathlib import Path

from stages.dos_baselines.networks import NETWORKS, build_network
from stages.dos_baselines.outputs import write_predictions
from stages.dos_baselines.task import BaselineTask, predict
from stages.shared.dos_kind import chosen_kind
from stages.shared.embeddings import EMBEDDINGS, embedding_width
from stages.shared.encoders import calibrate
from stages.shared.errors import run_stage
from stages.shared.params import load_params
from stages.shared.progress import say
from stages.shared.scratch import scratch_folder
from stages.shared.spectra import read_spectra
from stages.shared.training import train

DATA = Path("data")


def main() -> None:
    """Read spectra, train each network as the DOS transformer is trained, write their predictions."""
    params = load_params("build_graphs", "encoder", "dos", "dos_kinds")
    kind = chosen_kind(sys.argv[1:], params.dos_kinds)
    inputs = [DATA / name for name in ("graphs", EMBEDDINGS, "crystals.parquet")]
    with scratch_folder(f"dos_baselines@{kind}", params, inputs) as scratch:
        examples = read_spectra(DATA, kind, params.dos_kinds[kind], params.encoder, scratch)
        training = examples.of_split("train")
        if not len(training):
            say(f"{kind}: no crystal of the train split has a density of states, so there is nothing to learn")
            write_predictions(DATA, kind, examples, {})
            return
        spectra = {}
        for name in NETWORKS:
            network = build_network(name, params, kind, embedding_width(DATA, params.encoder))
            calibrate(network.embedder, training.graphs)
            task = BaselineTask(examples, params.dos)
            train(network, task, params.dos, checkpoint_folder(scratch, name), f"{kind} {name}")
            spectra[name] = predict(network, examples)
        write_predictions(DATA, kind, examples, spectra)


def checkpoint_folder(scratch: Path, name: str) -> Path:
    """Return the folder of one network's checkpoint."""
    folder = scratch / name
    folder.mkdir(exist_ok=True)
    return folder


if __name__ == "__main__":
    run_stage(main)
