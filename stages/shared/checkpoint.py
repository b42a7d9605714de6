"""Checkpoints of a training run: one safetensors file, replaced atomically, never unpickled."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from stages.shared.atomic import atomic_file
from stages.shared.progress import say


@dataclass
class TrainingState:
    """Everything a run needs to go on where it stopped.

    Random numbers are a function of (seed, epoch), so the state of a generator is not part of it.

    Attributes:
        epoch: number of completed epochs.
        history: one dictionary of numbers per completed epoch.
        best_epoch: the epoch (from 1) with the lowest selection loss, 0 before the first.
        best_loss: that loss, infinity before the first.
    """

    epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_loss: float = float("inf")


def write_checkpoint(
    path: Path,
    state: TrainingState,
    model: Mapping[str, Tensor],
    best: Mapping[str, Tensor],
    optimizer: Mapping[str, Any],
) -> None:
    """Write a run's state; `model`, `best` and `optimizer` are state dictionaries."""
    tensors = {f"model.{name}": tensor for name, tensor in model.items()}
    tensors |= {f"best.{name}": tensor for name, tensor in best.items()}
    for index, slots in optimizer["state"].items():
        tensors |= {f"optimizer.{index}.{slot}": tensor for slot, tensor in slots.items()}
    plain = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    with atomic_file(path) as file:
        file.write(save(plain, metadata={"state": json.dumps(asdict(state))}))


def read_checkpoint(path: Path) -> tuple[TrainingState, dict[str, Tensor]] | None:
    """Return a run's state and its tensors under the names they were written with; None where there is none to read."""
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            state = TrainingState(**json.loads(file.metadata()["state"]))
            return state, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        say(f"the checkpoint {path.name} cannot be read ({error}); training starts anew")
        return None


def part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose name starts with `prefix.`, without it."""
    return {name.removeprefix(f"{prefix}."): value for name, value in tensors.items() if name.startswith(f"{prefix}.")}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Load the slots (`optimizer.<parameter>.<slot>`) of a checkpoint into an optimizer of the same parameters."""
    slots: dict[int, dict[str, Tensor]] = {}
    for name, tensor in part(tensors, "optimizer").items():
        index, slot = name.split(".")
        slots.setdefault(int(index), {})[slot] = tensor
    optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})
