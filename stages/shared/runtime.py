"""Where and with how many threads a training stage computes: environment variables, never parameters.

Nothing here enters a parameter, a command or an output: a result trained on a GPU machine is a cache hit on a laptop.

| variable | meaning | default |
|---|---|---|
| `XTALK_DEVICE` | `cpu`, `cuda` or `auto` | `auto`: the GPU when there is one |
| `XTALK_PRECISION` | Fabric's precision, for example `bf16-mixed`; see also `stages/__init__.py` | `32-true` |
| `XTALK_THREADS` | threads inside one tensor operation; sums are split by it, so it changes the last bits | 2 |
| `XTALK_WORKERS` | processes of the preprocessing stages and of dos_baselines; changes no byte | the number of cores |
"""

import os
from typing import TYPE_CHECKING

import torch

from stages.shared.errors import StageError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_DEVICES = ("auto", "cpu", "cuda")


def use_reproducible_kernels(threads: int | None = None) -> None:
    """Fix the number of threads and ask torch for deterministic algorithms only.

    Args:
        threads: inside one tensor operation; None: `XTALK_THREADS`.

    Raises:
        StageError: `XTALK_THREADS` is not a positive whole number.
    """
    setting = os.environ.get("XTALK_THREADS", "2")
    if not setting.isdecimal() or int(setting) == 0:
        raise StageError(f"XTALK_THREADS is '{setting}'; set it to a positive whole number or unset it")
    torch.set_num_threads(threads or int(setting))
    torch.use_deterministic_algorithms(True)
    # else torch writes NaN over all memory it is about to use, which shows mistakes, and takes a tenth of the time
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def choose_device() -> str:
    """Return `cuda` or `cpu`: what `XTALK_DEVICE` says, and by default the GPU when there is one.

    Raises:
        StageError: `XTALK_DEVICE` names no device of this machine.
    """
    device = os.environ.get("XTALK_DEVICE", "auto")
    if device not in _DEVICES or (device == "cuda" and not torch.cuda.is_available()):
        raise StageError(f"XTALK_DEVICE is '{device}', which this machine does not have; use one of {_DEVICES}")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


def launch_fabric(threads: int | None = None) -> "Fabric":
    """Return a launched Fabric on one device: the GPU when there is one, else the CPU.

    Args:
        threads: as `use_reproducible_kernels` takes them.

    Raises:
        StageError: `XTALK_DEVICE` names no device of this machine.
    """
    from lightning_fabric import Fabric  # 1.3 s to import, needed for training only

    use_reproducible_kernels(threads)
    precision = os.environ.get("XTALK_PRECISION", "32-true")
    fabric = Fabric(accelerator=choose_device(), devices=1, precision=precision)  # type: ignore[arg-type]
    fabric.launch()
    return fabric
