"""The one training loop: AdamW, the best epoch by validation or the average of the last ones, resumable to the byte.

Batches, dropout and augmentation of an epoch are a function of (seed, epoch) alone. A run that is killed at any moment
and started again therefore ends with the same bytes as an undisturbed one.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from stages.shared.averaging import WeightAverage, copy_state
from stages.shared.checkpoint import TrainingState, part, read_checkpoint, restore_optimizer, write_checkpoint
from stages.shared.errors import StageError
from stages.shared.optimization import build_optimizer, learning_rate
from stages.shared.params import TrainingParams
from stages.shared.progress import progress, say
from stages.shared.runtime import launch_fabric
from stages.shared.text_files import write_csv


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


def train(
    model: nn.Module, task: Task, params: TrainingParams, scratch: Path, label: str, threads: int | None = None
) -> TrainingState:
    """Train in place and leave the weights of the best epoch in `model`, or the average of the last epochs.

    With `swa_epochs`, the weights after every step of that many last epochs are averaged. From the first of these
    epochs on the average is what is validated and what is kept, whatever validation says, so the best epoch is the
    last one and its running statistics of BatchNorm are computed anew. See `WeightAverage`.

    Args:
        model: the module to train; on return it is on the CPU and in evaluation mode.
        task: batches, loss and validation.
        params: seed, epochs, batch size, learning rate and so on.
        scratch: folder of the checkpoint.
        label: what progress lines say.
        threads: inside one tensor operation; None: `XTALK_THREADS`.

    Returns:
        The history and the best epoch. Without a validation split the last epoch is the best.

    Raises:
        StageError: training diverged.
    """
    fabric = launch_fabric(threads)
    adamw = build_optimizer(model, params, fused=fabric.device.type == "cpu")
    step, optimizer = fabric.setup(_LossModule(model, task), adamw)
    average = WeightAverage(model) if params.swa_epochs else None
    loop = _Loop(fabric, step, optimizer, model, average, task, params)
    path = scratch / "checkpoint.safetensors"
    state, kept = _resume(model, optimizer, average, path)
    for epoch in progress(range(state.epoch, params.epochs), label):
        if params.patience and state.epoch - state.best_epoch >= params.patience:
            break
        numbers, candidate = loop.run(epoch)
        _record(state, numbers, label)
        if state.best_epoch == state.epoch:
            kept = copy_state(candidate)
        write_checkpoint(path, state, model.state_dict(), kept, optimizer.state_dict())
    model.load_state_dict(kept)
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


def seed_of(seed: int, epoch: int, purpose: str) -> int:
    """Return a 32-bit seed that depends on the run's seed, the epoch (from 0) and what it is for."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{epoch}:{purpose}".encode()).digest()[:4], "big")


def batches(n_rows: int, batch_size: int, random: np.random.RandomState) -> Iterator[np.ndarray]:
    """Yield the rows of an epoch in random order, in batches that differ by one row at most."""
    yield from np.array_split(random.permutation(n_rows), count_batches(n_rows, batch_size))


def count_batches(n_rows: int, batch_size: int) -> int:
    """Return the number of batches of an epoch, at least one."""
    return max(1, round(n_rows / batch_size))


def write_history(path: Path, state: TrainingState) -> None:
    """Write one row per epoch: epoch, learning_rate, train_loss and what validation measured."""
    names = ["epoch", "learning_rate", "train_loss"]
    names += [name for name in (state.history[-1] if state.history else {}) if name not in names]
    write_csv(path, names, [[row[name] for name in names] for row in state.history])


@dataclass(frozen=True)
class _Loop:
    """What stays the same from epoch to epoch; `step` takes a batch to its loss."""

    fabric: Any
    step: nn.Module
    optimizer: torch.optim.Optimizer
    model: nn.Module
    average: WeightAverage | None
    task: Task
    params: TrainingParams

    def run(self, epoch: int) -> tuple[dict[str, float], nn.Module]:
        """Train for one epoch and validate; return its numbers and the module that was validated."""
        torch.manual_seed(seed_of(self.params.seed, epoch, "dropout"))
        average = self.average if epoch >= self.params.epochs - self.params.swa_epochs else None
        train_loss = self._train(epoch, average)
        candidate = self.model if average is None else self._with_statistics(average, epoch)
        candidate.eval()
        with torch.no_grad():
            validation = self.task.validate(candidate)
        n_steps = count_batches(self.task.n_train, self.params.batch_size)
        rate = learning_rate(self.params, (epoch + 1) * n_steps - 1, n_steps)
        numbers = {"learning_rate": rate, "train_loss": train_loss, **validation}
        if self.average is not None:
            numbers["averaged_steps"] = self.average.n_steps
        return numbers, candidate

    def _train(self, epoch: int, average: WeightAverage | None) -> float:
        """Return the mean training loss of one pass over the training split; add every step of it to `average`.

        Raises:
            StageError: the loss or its gradient is no longer a finite number.
        """
        self.step.train()
        order, random = self._batches(epoch, "batches")
        total = 0.0
        for row, rows in enumerate(order):
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(self.params, epoch * len(order) + row, len(order))
            loss = self.step(self.task.batch(rows, random).to(self.fabric.device))
            self.optimizer.zero_grad()
            self.fabric.backward(loss)
            largest = self.params.gradient_clip or math.inf
            norm = self.fabric.clip_gradients(self.step, self.optimizer, max_norm=largest, error_if_nonfinite=False)
            if not torch.isfinite(norm):
                rate = self.params.learning_rate
                raise StageError(f"training diverged in epoch {epoch + 1}; lower learning_rate, now {rate}")
            self.optimizer.step()
            if average is not None:
                average.add(self.model)
            total += loss.item() * len(rows)
        return total / self.task.n_train

    def _with_statistics(self, average: WeightAverage, epoch: int) -> nn.Module:
        """Return the module with the averaged weights and with running statistics of BatchNorm that belong to them."""
        order, random = self._batches(epoch, "statistics")
        on_device = (self.task.batch(rows, random).to(self.fabric.device) for rows in order)
        average.renew_batch_norm(_LossModule(average.model, self.task), on_device)
        return average.model

    def _batches(self, epoch: int, purpose: str) -> tuple[list[np.ndarray], np.random.RandomState]:
        """Return the rows of each batch of a pass over the training split, and the generator for augmentation."""
        random = np.random.RandomState(seed_of(self.params.seed, epoch, purpose))
        return list(batches(self.task.n_train, self.params.batch_size, random)), random


def _record(state: TrainingState, numbers: dict[str, float], label: str) -> None:
    """Append an epoch to the history and note whether it is the best so far."""
    last_wins = "val_loss" not in numbers or numbers.get("averaged_steps", 0) > 0
    selection = numbers.get("val_loss", state.best_loss)
    state.epoch += 1
    if last_wins or selection < state.best_loss:
        state.best_epoch, state.best_loss = state.epoch, selection
    state.history.append({"epoch": state.epoch, **numbers})
    if state.epoch % 10 == 0:
        shown = [f"{name} {value:.4g}" for name, value in numbers.items() if name != "learning_rate"]
        say(f"{label}: epoch {state.epoch}, {', '.join(shown)}")


def _resume(
    model: nn.Module, optimizer: torch.optim.Optimizer, average: WeightAverage | None, path: Path
) -> tuple[TrainingState, dict[str, Tensor]]:
    """Load a checkpoint where there is one; return its state and the weights to keep, which an average goes on from."""
    checkpoint = read_checkpoint(path)
    if checkpoint is None:
        return TrainingState(), dict(model.state_dict())
    state, tensors = checkpoint
    kept = part(tensors, "best")
    model.load_state_dict(part(tensors, "model"))
    restore_optimizer(optimizer, tensors)
    n_steps = int(state.history[-1].get("averaged_steps", 0))
    if average is not None and n_steps:
        average.restore(kept, n_steps)
    say(f"going on after epoch {state.epoch}")
    return state, kept
