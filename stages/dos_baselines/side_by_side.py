"""The training of one baseline, so that several can run side by side."""

from pathlib import Path

import numpy as np

from stages.dos_baselines.networks import build_network
from stages.dos_baselines.task import BaselineTask, predict
from stages.shared.encoders import calibrate
from stages.shared.params import Params
from stages.shared.runtime import use_reproducible_kernels
from stages.shared.spectra import CrystalSpectra
from stages.shared.training import train


def trained_predictions(
    name: str, examples: CrystalSpectra, params: Params, kind: str, embedding_dim: int, scratch: Path
) -> np.ndarray:
    """Train one of `NETWORKS` as the DOS transformer is trained; return its spectra of all crystals, (n, bins).

    It takes one thread, since others are trained at the same time: the result does not depend on how many.

    Args:
        name: of `NETWORKS`.
        examples: n crystals of all splits; at least one is in train.
        params: the sections `build_graphs`, `encoder`, `dos` and `dos_kinds`.
        kind: `phonon` or `electron`.
        embedding_dim: see `build_network`.
        scratch: folder of the run, in which each network has a folder for its checkpoint.
    """
    use_reproducible_kernels(threads=1)
    network = build_network(name, params, kind, embedding_dim)
    calibrate(network.embedder, examples.of_split("train").graphs)
    task = BaselineTask(examples, params.dos)
    train(network, task, params.dos, checkpoint_folder(scratch, name), f"{kind} {name}", threads=1)
    return predict(network, examples)


def checkpoint_folder(scratch: Path, name: str) -> Path:
    """Return the folder of one network's checkpoint."""
    folder = scratch / name
    folder.mkdir(exist_ok=True)
    return folder
