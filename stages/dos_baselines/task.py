"""What the training loop needs to know of a baseline."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from models.dos.baselines import SpectrumBaseline
from models.dos.losses import SPECTRUM_LOSSES, mae, sum_rule
from models.graph.batch import CrystalBatch
from stages.shared.params import DosParams
from stages.shared.parts import row_parts
from stages.shared.spectra import CrystalSpectra

_PREDICTION_BATCH = 64  # crystals predicted at a time; bounds memory, changes nothing else


@dataclass
class SpectrumBatch:
    """Crystals with their spectra (batch, bins) and the bins that are known (batch, bins) bool."""

    crystals: CrystalBatch
    spectrum: Tensor
    known: Tensor

    def to(self, device: torch.device | str) -> "SpectrumBatch":
        """Return the batch on another device."""
        return SpectrumBatch(self.crystals.to(device), self.spectrum.to(device), self.known.to(device))


class BaselineTask:
    """Batches of crystals with spectra; the loss is that of the DOS transformer with one branch instead of two.

    Args:
        examples: crystals of all splits; at least one is in train.
        params: the `dos` section.
    """

    def __init__(self, examples: CrystalSpectra, params: DosParams) -> None:
        self._loss = SPECTRUM_LOSSES[params.loss]
        self._sum_rule_weight = params.sum_rule_weight
        self._train, self._val = examples.of_split("train"), examples.of_split("val")

    @property
    def n_train(self) -> int:
        """Number of training crystals."""
        return len(self._train)

    def batch(self, rows: np.ndarray, random: np.random.RandomState) -> SpectrumBatch:
        """Return these crystals."""
        spectrum, known = self._train.spectrum(rows), self._train.known(rows)
        return SpectrumBatch(self._train.graphs.batch(rows), torch.from_numpy(spectrum), torch.from_numpy(known))

    def loss(self, model: nn.Module, batch: SpectrumBatch) -> Tensor:
        """Return the mean over the crystals of loss and weighted sum rule."""
        spectra = (model(batch.crystals), batch.spectrum, batch.known)
        loss = self._loss(*spectra).mean()
        return loss + self._sum_rule_weight * sum_rule(*spectra).mean() if self._sum_rule_weight else loss

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return the mean absolute error on val, which selects the best epoch."""
        if not len(self._val) or not isinstance(model, SpectrumBaseline):
            return {}
        everything = np.arange(len(self._val))
        true, known = torch.from_numpy(self._val.spectrum(everything)), torch.from_numpy(self._val.known(everything))
        return {"val_loss": mae(torch.from_numpy(predict(model, self._val)), true, known).mean().item()}


@torch.no_grad()
def predict(model: SpectrumBaseline, examples: CrystalSpectra) -> np.ndarray:
    """Return the predicted spectra, (n_examples, bins) float32; `examples` holds at least one crystal."""
    device = next(model.parameters()).device
    parts = row_parts(len(examples), _PREDICTION_BATCH)
    return torch.cat([model(examples.graphs.batch(rows).to(device)).float().cpu() for rows in parts]).numpy()
