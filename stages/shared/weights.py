"""Weights on disk: safetensors beside a config.json, nothing that could execute code.

safetensors writes its metadata in random order once there are two keys, so these files carry at most one.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from stages.shared.atomic import atomic_file
from stages.shared.errors import StageError
from stages.shared.text_files import read_json, write_json


def save_weights(folder: Path, state: Mapping[str, torch.Tensor], config: Mapping[str, Any]) -> None:
    """Write `config.json` and `weights.safetensors`, byte for byte the same for equal tensors.

    Args:
        folder: where to write.
        state: a module's `state_dict()`; empty for a model that could not be trained.
        config: everything needed to build the module again.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    write_json(folder / "config.json", config)
    with atomic_file(folder / "weights.safetensors") as file:
        file.write(save(tensors))


def load_weights(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read the state and the config that `save_weights` wrote.

    Raises:
        StageError: a file is missing or is not what it should be.
    """
    path = folder / "weights.safetensors"
    config = read_json(folder / "config.json")
    try:
        return load(path.read_bytes()), config
    except FileNotFoundError:
        raise StageError(f"{path} does not exist; run `dvc repro`, which makes it first") from None
    except (SafetensorError, ValueError) as error:
        raise StageError(f"{path} holds no readable weights ({error}); delete it and run `dvc repro`") from None
