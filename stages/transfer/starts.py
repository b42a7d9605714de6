"""Where a run may start from: random weights, structures without labels, or spectra of the other kind."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.graph.batch import CrystalBatch
from models.structure_pretraining import StructurePretraining, corrupt
from stages.shared.dos_network import build_dos_encoder
from stages.shared.dos_task import DosTask
from stages.shared.encoders import calibrate
from stages.shared.global_inputs import GlobalInputs
from stages.shared.graphs import GraphTable, read_graphs
from stages.shared.params import DosParams, TransferParams
from stages.shared.training import seed_of, train
from stages.transfer.runs import Setting, State, fit, new_model

SCRATCH, DENOISING = "scratch", "denoising"


@dataclass
class CorruptedBatch:
    """Crystals as they are and as the encoder sees them, and which atoms are hidden, (n_atoms,) bool."""

    corrupted: CrystalBatch
    original: CrystalBatch
    masked: Tensor

    def to(self, device: torch.device | str) -> "CorruptedBatch":
        """Return the batch on another device."""
        return CorruptedBatch(self.corrupted.to(device), self.original.to(device), self.masked.to(device))


class StructureTask:
    """Corrupted crystals of the train split; the last epoch is kept.

    Args:
        graphs: of the train split.
        params: the `transfer` section.
    """

    def __init__(self, graphs: GraphTable, params: TransferParams) -> None:
        self._graphs, self._params = graphs, params

    @property
    def n_train(self) -> int:
        """Number of crystals."""
        return len(self._graphs)

    def batch(self, rows: NDArray[np.int64], random: np.random.RandomState) -> CorruptedBatch:
        """Return these crystals with fresh noise."""
        original = self._graphs.batch(rows)
        n_atoms = len(original.atomic_numbers)
        masked = torch.from_numpy(random.rand(n_atoms) < self._params.masked_share)
        displacement = torch.from_numpy(random.randn(n_atoms, 3).astype(np.float32)) * self._params.noise
        return CorruptedBatch(corrupt(original, masked, displacement), original, masked)

    def loss(self, model: nn.Module, batch: CorruptedBatch) -> Tensor:
        """Return the loss of `StructurePretraining`."""
        loss: Tensor = model(batch.corrupted, batch.original, batch.masked)
        return loss

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return nothing: there is no choice to make."""
        return {}


def train_starts(settings: Mapping[str, Setting], kind: str, global_inputs: GlobalInputs) -> dict[str, State]:
    """Return the weights of the graph encoder that runs on one kind may start from, empty for random ones.

    All of them saw structures and labels of the train split only; a crystal is in the same split for every kind.

    Args:
        settings: of every kind.
        kind: the one whose labels are few.
        global_inputs: numbers of all crystals.
    """
    starts: dict[str, State] = {SCRATCH: {}, DENOISING: _from_structures(settings[kind])}
    for other, setting in settings.items():
        if other != kind:
            starts[f"{other}_dos"] = _from_spectra(setting, global_inputs)
    return starts


def _from_structures(setting: Setting) -> State:
    params = setting.params
    graphs = read_graphs({"train": setting.data / "graphs/train.parquet"}, setting.scratch)
    training = _training(setting)
    torch.manual_seed(seed_of(training.seed, 0, "weights of structure pretraining"))
    encoder = build_dos_encoder(params, 0)
    calibrate(encoder, graphs)
    model = StructurePretraining(encoder, params.transfer.noise, params.build_graphs.cutoff)
    folder = setting.scratch / DENOISING
    folder.mkdir(exist_ok=True)
    train(model, StructureTask(graphs, params.transfer), training, folder, "denoising")
    return dict(model.graph_encoder.state_dict())


def _from_spectra(setting: Setting, global_inputs: GlobalInputs) -> State:
    training = _training(setting)
    model = new_model(setting, training)
    fit(model, DosTask(setting.examples, global_inputs, training), training, setting.scratch / "start", setting.kind)
    return dict(model.graph_encoder.state_dict())


def _training(setting: Setting) -> DosParams:
    """Return the `dos` section with the length of pretraining."""
    changes = {"epochs": setting.params.transfer.pretraining_epochs, "swa_epochs": 0, "patience": 0}
    return setting.params.dos.model_copy(update=changes)
