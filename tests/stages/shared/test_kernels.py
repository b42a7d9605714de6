"""Which kernels the stages ask for; read in a process of its own, since libraries choose once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages import REPRODUCIBLE_KERNELS

ROOT = Path(__file__).resolve().parents[3]
READ = "import json, os, stages; print(json.dumps([os.environ.get(name) for name in stages.REPRODUCIBLE_KERNELS]))"


def _kernels(**settings: str) -> dict[str, str | None]:
    names = {*REPRODUCIBLE_KERNELS, "XTALK_PRECISION"}
    environment = {name: value for name, value in os.environ.items() if name not in names}
    command = [sys.executable, "-c", READ]
    run = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, env=environment | settings)
    return dict(zip(REPRODUCIBLE_KERNELS, json.loads(run.stdout), strict=True))


@pytest.mark.parametrize("settings", [{}, {"XTALK_PRECISION": "32-true"}])
def test_single_precision_takes_the_kernels_that_all_processors_have(settings: dict[str, str]) -> None:
    assert _kernels(**settings) == REPRODUCIBLE_KERNELS


def test_lower_precision_takes_what_the_processor_has() -> None:
    assert set(_kernels(XTALK_PRECISION="bf16-mixed").values()) == {None}


def test_what_the_user_sets_stays() -> None:
    assert _kernels(ATEN_CPU_CAPABILITY="default")["ATEN_CPU_CAPABILITY"] == "default"
