"""The one training loop: AdamW with warm-up and cosine decay, best epoch by validation, resumable to the byte.

Batches, dropout and augmentation of an epoch are a function of (seed, epoch) alone. A run that is killed at any moment
and started again therefore ends with the same bytes as an undisturbed one.
"""

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from stages.shared.checkpoint import TrainingState, part, read_checkpoint, restore_optimizer, write_checkpoint
from stages.shared.errors import StageError
from stages.shared.params import TrainingParams
from stages.shared.progress import progress, say
from stages.shared.runtime import launch_fabric
from stages.shared.tables import write_csv


class Task(Protocol):
    """What a stage tells the loop: its batches, its loss, its validation."""

    @property
    def n_train(self) -> int:
        """Number of training crystals."""

    def batch(self, rows: np.ndarray, random: np.random.RandomState) -> Any:
        """Return the training batch of these crystals, with augmentation drawn from `random`; has a `.to(device)`."""

    def loss(self, model: nn.Module, batch: Any) -> Tensor:
        """Return the training loss of a batch, a scalar."""

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return numbers on the validation split; `val_loss` selects the best epoch. Empty without such a split."""


def train(model: nn.Module, task: Task, params: TrainingParams, scratch: Path, label: str) -> TrainingState:
    """Train in place and leave the weights of the best epoch in `model`.

    Args:
        model: the module to train; on return it is on the CPU and in evaluation mode.
        task: batches, loss and validation.
        params: seed, epochs, batch size, learning rate and so on.
        scratch: folder of the checkpoint.
        label: what progress lines say.

    Returns:
        The history and the best epoch. Without a validation split the last epoch is the best.

    Raises:
        StageError: training diverged.
    """
    fabric = launch_fabric()
    optimizer = torch.optim.AdamW(_decay_groups(model, params.weight_decay))
    step, optimizer = fabric.setup(_LossModule(model, task), optimizer)
    state, best = _resume(model, optimizer, scratch / "checkpoint.safetensors")
    for epoch in progress(range(state.epoch, params.epochs), label):
        if params.patience and state.epoch - state.best_epoch >= params.patience:
            break
        torch.manual_seed(seed_of(params.seed, epoch, "dropout"))
        train_loss = _one_epoch(fabric, step, optimizer, task, params, epoch)
        model.eval()
        with torch.no_grad():
            validation = task.validate(model)
        _record(state, epoch, train_loss, learning_rate(params, epoch + 1.0), validation, label)
        if state.best_epoch == epoch + 1:
            best = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        write_checkpoint(scratch / "checkpoint.safetensors", state, model.state_dict(), best, optimizer.state_dict())
    model.load_state_dict(best)
    model.to("cpu").eval()
    return state


class _LossModule(nn.Module):
    """From a batch to its loss, so that Fabric sees one module with a tensor as output."""

    def __init__(self, model: nn.Module, task: Task) -> None:
        super().__init__()
        self.model = model
        self.task = task

    def forward(self, batch: Any) -> Tensor:
        return self.task.loss(self.model, batch)


def learning_rate(params: TrainingParams, epoch: float) -> float:
    """Return the rate after a (fractional) number of epochs: linear warm-up, then half a cosine down to zero.

    Loshchilov and Hutter, *SGDR*, ICLR 2017, arXiv:1608.03983, equation 5 with a single period.
    """
    if epoch < params.warmup_epochs:
        return params.learning_rate * epoch / params.warmup_epochs
    remaining = max(1, params.epochs - params.warmup_epochs)
    return params.learning_rate * 0.5 * (1.0 + math.cos(math.pi * (epoch - params.warmup_epochs) / remaining))


def seed_of(seed: int, epoch: int, purpose: str) -> int:
    """Return a 32-bit seed that depends on the run's seed, the epoch (from 0) and what it is for."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{epoch}:{purpose}".encode()).digest()[:4], "big")


def batches(n_rows: int, batch_size: int, random: np.random.RandomState) -> Iterator[np.ndarray]:
    """Yield the rows of an epoch in random order, in batches that differ by one row at most."""
    n_batches = max(1, round(n_rows / batch_size))
    yield from np.array_split(random.permutation(n_rows), n_batches)


def write_history(path: Path, state: TrainingState) -> None:
    """Write one row per epoch: epoch, learning_rate, train_loss and what validation measured."""
    names = ["epoch", "learning_rate", "train_loss"]
    names += [name for name in (state.history[-1] if state.history else {}) if name not in names]
    write_csv(path, names, [[row[name] for name in names] for row in state.history])


def _one_epoch(
    fabric: Any, step: nn.Module, optimizer: torch.optim.Optimizer, task: Task, params: TrainingParams, epoch: int
) -> float:
    """Return the mean training loss of one pass over the training split.

    Raises:
        StageError: the loss or its gradient is no longer a finite number.
    """
    step.train()
    random = np.random.RandomState(seed_of(params.seed, epoch, "batches"))
    order = list(batches(task.n_train, params.batch_size, random))
    total = 0.0
    for count, rows in enumerate(order, start=1):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(params, epoch + count / len(order))
        loss = step(task.batch(rows, random).to(fabric.device))
        optimizer.zero_grad()
        fabric.backward(loss)
        norm = fabric.clip_gradients(step, optimizer, max_norm=params.gradient_clip, error_if_nonfinite=False)
        if not torch.isfinite(norm):
            raise StageError(f"training diverged in epoch {epoch + 1}; lower learning_rate, now {params.learning_rate}")
        optimizer.step()
        total += loss.item() * len(rows)
    return total / task.n_train


def _record(
    state: TrainingState, epoch: int, train_loss: float, rate: float, validation: dict[str, float], label: str
) -> None:
    """Append an epoch to the history and note whether it is the best so far."""
    selection = validation.get("val_loss", -float(epoch))  # nothing to select on: the last epoch wins
    if selection < state.best_loss:
        state.best_epoch, state.best_loss = epoch + 1, selection
    state.epoch = epoch + 1
    state.history.append({"epoch": epoch + 1, "learning_rate": rate, "train_loss": train_loss, **validation})
    if epoch % 10 == 9:
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in {"train_loss": train_loss, **validation}.items())
        say(f"{label}: epoch {epoch + 1}, {numbers}")


def _resume(model: nn.Module, optimizer: torch.optim.Optimizer, path: Path) -> tuple[TrainingState, dict[str, Tensor]]:
    """Load a checkpoint into model and optimizer where there is one; return its state and its best weights."""
    checkpoint = read_checkpoint(path)
    if checkpoint is None:
        return TrainingState(), dict(model.state_dict())
    state, tensors = checkpoint
    model.load_state_dict(part(tensors, "model"))
    restore_optimizer(optimizer, tensors)
    say(f"going on after epoch {state.epoch}")
    return state, part(tensors, "best")


def _decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Put matrices into a group with weight decay; biases, norms and single numbers into one without."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in parameters if parameter.ndim >= 2]
    others = [parameter for parameter in parameters if parameter.ndim < 2]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
