"""What the training loop needs to know of the DOS transformer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from models.dos_transformer import DosPrediction, DosTransformer, dos_loss
from models.graph.batch import CrystalBatch
from models.spectra import mae, spectrum_r2
from stages.dos.dataset import CrystalSpectrum
from stages.shared.graphs import collate
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

    def __init__(self, examples: Sequence[CrystalSpectrum], params: DosParams) -> None:
        self._system_weight = params.system_weight
        self._train = [example for example in examples if example.split == "train"]
        self._val = [example for example in examples if example.split == "val"]

    @property
    def n_train(self) -> int:
        """Number of training crystals."""
        return len(self._train)

    def batch(self, rows: np.ndarray, random: np.random.RandomState) -> DosBatch:
        """Return these crystals."""
        return _assemble([self._train[row] for row in rows])

    def loss(self, model: nn.Module, batch: DosBatch) -> Tensor:
        """Return the two-branch loss of a batch."""
        return dos_loss(model(batch.crystals, batch.crystal_system), batch.spectrum, self._system_weight)

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return the mean absolute error, which selects, and the mean R² of the prompted branch on val."""
        if not self._val or not isinstance(model, DosTransformer):
            return {}
        predicted, _ = predict(model, self._val)
        true = np.stack([example.spectrum for example in self._val])
        return {
            "val_loss": float(mae(true, predicted).mean()),
            "val_r2": float(spectrum_r2(true, predicted).mean()),
        }


@torch.no_grad()
def predict(model: DosTransformer, examples: Sequence[CrystalSpectrum]) -> tuple[np.ndarray, np.ndarray]:
    """Return the spectra of the prompted branch and of the global branch, (n_examples, bins) each, float32."""
    device = next(model.parameters()).device
    branches = []
    for start in range(0, len(examples), _PREDICTION_BATCH):
        batch = _assemble(examples[start : start + _PREDICTION_BATCH]).to(device)
        prediction: DosPrediction = model(batch.crystals, batch.crystal_system)
        branches.append(torch.stack([prediction.system_spectrum, prediction.global_spectrum]).float().cpu())
    system, unprompted = torch.cat(branches, dim=1).numpy()  # (2, n_examples, bins)
    return system, unprompted


def _assemble(examples: Sequence[CrystalSpectrum]) -> DosBatch:
    return DosBatch(
        collate([example.graph for example in examples]),
        torch.tensor([example.crystal_system for example in examples]),
        torch.from_numpy(np.stack([example.spectrum for example in examples])),
    )
