"""What the training loop needs to know of the DOS transformer."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from models.dos_transformer import DosPrediction, DosTransformer, dos_loss
from models.graph.batch import CrystalBatch
from models.spectra import mae, spectrum_r2
from stages.dos.dataset import CrystalSpectra
from stages.shared.params import DosParams

_PREDICTION_BATCH = 64  # crystals predicted at a time; bounds memory, changes nothing else


@dataclass
class DosBatch:
    """Crystals, their crystal systems (batch,) int64 and their spectra (batch, bins)."""

    crystals: CrystalBatch
    crystal_system: Tensor
    spectrum: Tensor

    def to(self, device: torch.device | str) -> "DosBatch":
        """Return the batch on another device."""
        return DosBatch(self.crystals.to(device), self.crystal_system.to(device), self.spectrum.to(device))


class DosTask:
    """Batches of crystals with spectra.

    Args:
        examples: crystals of all splits; at least one is in train.
        params: the `dos` section.
    """

    def __init__(self, examples: CrystalSpectra, params: DosParams) -> None:
        self._system_weight = params.system_weight
        self._train, self._val = examples.of_split("train"), examples.of_split("val")

    @property
    def n_train(self) -> int:
        """Number of training crystals."""
        return len(self._train)

    def batch(self, rows: np.ndarray, random: np.random.RandomState) -> DosBatch:
        """Return these crystals."""
        return _assemble(self._train, rows)

    def loss(self, model: nn.Module, batch: DosBatch) -> Tensor:
        """Return the two-branch loss of a batch."""
        return dos_loss(model(batch.crystals, batch.crystal_system), batch.spectrum, self._system_weight)

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return the mean absolute error, which selects, and the mean R² of the prompted branch on val."""
        if not len(self._val) or not isinstance(model, DosTransformer):
            return {}
        predicted, _ = predict(model, self._val)
        true = self._val.spectrum(np.arange(len(self._val)))
        return {
            "val_loss": float(mae(true, predicted).mean()),
            "val_r2": float(spectrum_r2(true, predicted).mean()),
        }


@torch.no_grad()
def predict(model: DosTransformer, examples: CrystalSpectra) -> tuple[np.ndarray, np.ndarray]:
    """Return the spectra of the prompted branch and of the global branch, (n_examples, bins) each, float32."""
    device = next(model.parameters()).device
    branches = []
    for start in range(0, len(examples), _PREDICTION_BATCH):
        rows = np.arange(start, min(start + _PREDICTION_BATCH, len(examples)))
        batch = _assemble(examples, rows).to(device)
        prediction: DosPrediction = model(batch.crystals, batch.crystal_system)
        branches.append(torch.stack([prediction.system_spectrum, prediction.global_spectrum]).float().cpu())
    system, unprompted = torch.cat(branches, dim=1).numpy()  # (2, n_examples, bins)
    return system, unprompted


def _assemble(examples: CrystalSpectra, rows: np.ndarray) -> DosBatch:
    return DosBatch(
        examples.graphs.batch(rows),
        torch.from_numpy(examples.crystal_system[rows]),
        torch.from_numpy(examples.spectrum(rows)),
    )
