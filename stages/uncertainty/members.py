"""Several answers for each crystal: from transformers of other seeds, and from one with dropout active."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.uncertainty import active_dropout
from stages.shared.dos_network import build_model
from stages.shared.dos_task import DosTask, predict
from stages.shared.embeddings import embedding_width
from stages.shared.encoders import calibrate
from stages.shared.global_inputs import GlobalInputs
from stages.shared.params import Params
from stages.shared.spectra import CrystalSpectra
from stages.shared.training import seed_of, train


@dataclass(frozen=True)
class Members:
    """Spectra of the prompted branch for every crystal.

    Attributes:
        ensemble: (n_members, n_crystals, n_bins) from models of different seeds.
        dropout: (n_passes, n_crystals, n_bins) from the first of them with dropout active.
    """

    ensemble: NDArray[np.float64]
    dropout: NDArray[np.float64]


def train_members(
    data: Path, params: Params, kind: str, examples: CrystalSpectra, global_inputs: GlobalInputs, scratch: Path
) -> Members:
    """Train the ensemble, each member as `dos` is trained but for its seed, and let it predict all crystals.

    Args:
        data: the pipeline's data folder.
        params: the sections `build_graphs`, `encoder`, `dos`, `dos_kinds` and `uncertainty`.
        kind: `phonon` or `electron`.
        examples: crystals of all splits.
        global_inputs: numbers of all of them.
        scratch: folder of the checkpoints, from which a killed run goes on.
    """
    ensemble, dropout = [], np.zeros(0)
    for member in range(params.uncertainty.members):
        own = params.model_copy(update={"dos": params.dos.model_copy(update={"seed": params.dos.seed + member})})
        model = build_model(own, kind, embedding_width(data, params.encoder))
        calibrate(model.graph_encoder, examples.of_split("train").graphs)
        folder = scratch / f"member-{member}"
        folder.mkdir(exist_ok=True)
        train(model, DosTask(examples, global_inputs, own.dos), own.dos, folder, f"{kind} member {member + 1}")
        ensemble.append(predict(model, examples, global_inputs)[0])
        if member == 0:
            torch.manual_seed(seed_of(params.dos.seed, 0, f"dropout passes of {kind}"))
            with active_dropout(model):
                passes = [predict(model, examples, global_inputs)[0] for _ in range(params.uncertainty.dropout_passes)]
            dropout = np.stack(passes).astype(np.float64)
    return Members(np.stack(ensemble).astype(np.float64), dropout)
