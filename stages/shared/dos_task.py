"""What the training loop needs to know of the DOS transformer."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from models.dos.losses import SPECTRUM_LOSSES, dos_loss
from models.dos.transformer import DosTransformer
from models.graph.batch import CrystalBatch
from models.spectra import mae, spectrum_r2
from stages.shared.global_inputs import GlobalInputs
from stages.shared.params import DosParams
from stages.shared.parts import row_parts
from stages.shared.spectra import CrystalSpectra

_PREDICTION_BATCH = 64  # crystals predicted at a time; bounds memory, changes nothing else


@dataclass
class DosBatch:
    """What the model reads of some crystals and what it should say.

    Attributes:
        crystals: the structures.
        crystal_system: (batch,) int64 index into `CRYSTAL_SYSTEMS`.
        global_inputs: (batch, n_columns) numbers beside the structure.
        spectrum: (batch, bins) normalised as the kind wants.
        known: (batch, bins) bool.
    """

    crystals: CrystalBatch
    crystal_system: Tensor
    global_inputs: Tensor
    spectrum: Tensor
    known: Tensor

    @property
    def inputs(self) -> tuple[CrystalBatch, Tensor, Tensor]:
        """What the model is called with."""
        return self.crystals, self.crystal_system, self.global_inputs

    def to(self, device: torch.device | str) -> "DosBatch":
        """Return the batch on another device."""
        return DosBatch(
            self.crystals.to(device),
            self.crystal_system.to(device),
            self.global_inputs.to(device),
            self.spectrum.to(device),
            self.known.to(device),
        )


class DosTask:
    """Batches of crystals with spectra.

    Args:
        examples: crystals of all splits; at least one is in train.
        global_inputs: numbers of all of them.
        params: the `dos` section.
    """

    def __init__(self, examples: CrystalSpectra, global_inputs: GlobalInputs, params: DosParams) -> None:
        self._params = params
        self._global_inputs = global_inputs
        self._train, self._val = examples.of_split("train"), examples.of_split("val")

    @property
    def n_train(self) -> int:
        """Number of training crystals."""
        return len(self._train)

    def batch(self, rows: np.ndarray, random: np.random.RandomState) -> DosBatch:
        """Return these crystals."""
        return assemble(self._train, self._global_inputs, rows)

    def loss(self, model: nn.Module, batch: DosBatch) -> Tensor:
        """Return the two-branch loss of a batch."""
        return dos_loss(
            model(*batch.inputs),
            batch.spectrum,
            batch.known,
            SPECTRUM_LOSSES[self._params.loss],
            beta=self._params.system_weight,
            sum_rule_weight=self._params.sum_rule_weight,
        )

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return the mean absolute error, which selects, and the mean R² of the prompted branch on val."""
        if not len(self._val) or not isinstance(model, DosTransformer):
            return {}
        device = next(model.parameters()).device
        parts = row_parts(len(self._val), _PREDICTION_BATCH)
        batches = (assemble(self._val, self._global_inputs, rows).to(device) for rows in parts)
        predicted = torch.cat([model.predict(*batch.inputs).float().clamp_min(0).cpu() for batch in batches]).numpy()
        everything = np.arange(len(self._val))
        true, known = self._val.spectrum(everything), self._val.known(everything)
        return {
            "val_loss": float(mae(true, predicted, known).mean()),
            "val_r2": float(spectrum_r2(true, predicted, known).mean()),
        }


@torch.no_grad()
def predict(
    model: DosTransformer, examples: CrystalSpectra, global_inputs: GlobalInputs
) -> tuple[np.ndarray, np.ndarray]:
    """Return the spectra of the prompted branch and of the global branch, (n_examples, bins) each, float32.

    A negative density, which the published model can say, counts as zero.
    """
    device = next(model.parameters()).device
    branches = []
    for rows in row_parts(len(examples), _PREDICTION_BATCH):
        prediction = model(*assemble(examples, global_inputs, rows).to(device).inputs)
        branches.append(torch.stack([prediction.system_spectrum, prediction.global_spectrum]).float().cpu())
    system, unprompted = torch.cat(branches, dim=1).clamp_min(0).numpy()  # (2, n_examples, bins)
    return system, unprompted


def assemble(examples: CrystalSpectra, global_inputs: GlobalInputs, rows: np.ndarray) -> DosBatch:
    """Return some of the crystals as a batch; `rows` holds at least one."""
    chosen = examples.graphs.select(rows)
    return DosBatch(
        examples.graphs.batch(rows),
        torch.from_numpy(examples.crystal_system[rows]),
        torch.from_numpy(global_inputs.of(chosen.material_ids)),
        torch.from_numpy(examples.spectrum(rows)),
        torch.from_numpy(examples.known(rows)),
    )
