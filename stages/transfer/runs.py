"""One training run of the DOS transformer on some of the labels, from some start, and its errors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from models.dos.transformer import DosTransformer
from models.spectra import mae, spectrum_r2
from stages.shared.dos_network import build_model
from stages.shared.dos_task import DosBatch, DosTask, predict
from stages.shared.embeddings import embedding_width
from stages.shared.encoders import calibrate
from stages.shared.errors import StageError
from stages.shared.global_inputs import GlobalInputs
from stages.shared.params import DosParams, Params
from stages.shared.spectra import CrystalSpectra, read_spectra
from stages.shared.text_files import read_json, write_json
from stages.shared.training import train

Scores = dict[str, float]
State = Mapping[str, Tensor]


@dataclass(frozen=True)
class Setting:
    """What the runs on one kind of spectrum have in common.

    Attributes:
        params: the sections `build_graphs`, `encoder`, `dos`, `dos_kinds` and `transfer`.
        kind: `phonon` or `electron`.
        examples: crystals of all splits.
        data: the pipeline's data folder.
        scratch: folder of checkpoints and finished runs.
    """

    params: Params
    kind: str
    examples: CrystalSpectra
    data: Path
    scratch: Path

    def dos_params(self, seed: int) -> DosParams:
        """Return the `dos` section for a run of `transfer.steps` steps, whatever the number of labels."""
        own = self.params.transfer
        n_batches = max(1, round(len(self.examples.of_split("train")) / own.batch_size))
        epochs = max(1, round(own.steps / n_batches))
        changes = {"seed": self.params.dos.seed + seed, "batch_size": own.batch_size, "epochs": epochs}
        changes |= {"warmup_epochs": 1, "swa_epochs": 0, "patience": 0}
        return self.params.dos.model_copy(update=changes)


class FewLabelsTask:
    """Batches of some of the training crystals, taken again and again until an epoch is as long as with all labels.

    Every run then takes the same number of steps and looks at val as often.

    Args:
        task: all training crystals.
        rows: (n,) those whose labels may be used.
        validates: False takes the last epoch, without a look at val.
    """

    def __init__(self, task: DosTask, rows: NDArray[np.int64], validates: bool = True) -> None:
        self._task, self._rows, self._validates = task, rows, validates

    @property
    def n_train(self) -> int:
        """Number of crystals of an epoch, most of them more than once."""
        return self._task.n_train

    def batch(self, rows: NDArray[np.int64], random: np.random.RandomState) -> DosBatch:
        """Return labelled crystals for places among all training crystals."""
        return self._task.batch(self._rows[rows % len(self._rows)], random)

    def loss(self, model: nn.Module, batch: DosBatch) -> Tensor:
        """Return the loss of the DOS transformer."""
        return self._task.loss(model, batch)

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return the errors on val, which choose the epoch."""
        return self._task.validate(model) if self._validates else {}


def check_model(params: Params) -> None:
    """Look whether encoder and model can be transferred.

    Raises:
        StageError: the model brings an encoder of its own for each kind, or the encoder reads no structure.
    """
    if params.dos.model != "transformer":
        raise StageError(f"dos.model {params.dos.model} has an encoder for each kind; transfer needs transformer")
    if params.encoder.name == "precomputed":
        raise StageError("encoder.name precomputed reads no structure; transfer needs an encoder that does")


def read_examples(data: Path, params: Params, kind: str, scratch: Path) -> CrystalSpectra:
    """Return the crystals with a spectrum of one kind.

    Raises:
        StageError: a split has none.
    """
    folder = scratch / kind
    folder.mkdir(exist_ok=True)
    examples = read_spectra(data, kind, params.dos_kinds[kind], params.encoder, folder)
    for split in ("train", "val", "test"):
        if not len(examples.of_split(split)):
            raise StageError(f"{kind}: no crystal of the {split} split has a density of states; transfer needs some")
    return examples


def select(examples: CrystalSpectra, places: NDArray[np.int64]) -> CrystalSpectra:
    """Return some of the crystals."""
    return CrystalSpectra(
        examples.graphs.select(places), examples.crystal_system[places], examples.table, examples.rows[places]
    )


def new_model(setting: Setting, dos_params: DosParams) -> DosTransformer:
    """Return an untrained model whose constants come from the training structures."""
    own = setting.params.model_copy(update={"dos": dos_params})
    model = build_model(own, setting.kind, embedding_width(setting.data, setting.params.encoder))
    calibrate(model.graph_encoder, setting.examples.of_split("train").graphs)
    return model


def fit(model: DosTransformer, task: Any, dos_params: DosParams, folder: Path, label: str) -> None:
    """Train in place, with the checkpoint in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    train(model, task, dos_params, folder, label)


def errors(model: DosTransformer, examples: CrystalSpectra, global_inputs: GlobalInputs) -> Scores:
    """Return mean absolute error and R² of the prompted branch, means over the crystals."""
    everything = np.arange(len(examples))
    predicted, _ = predict(model, examples, global_inputs)
    true, known = examples.spectrum(everything), examples.known(everything)
    return {
        "mae": float(mae(true, predicted, known).mean()),
        "r2": float(spectrum_r2(true, predicted, known).mean()),
    }


def once(path: Path, run: Callable[[], Any]) -> Any:
    """Return what an earlier, killed process noted of a run, or run and note it."""
    if not path.exists():
        write_json(path, run())
    return read_json(path)
