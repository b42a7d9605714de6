"""Which kernels the stages ask for; read in a process of its own, since libraries choose once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages import TABLE_KERNELS, TRAINING_KERNELS

ROOT = Path(__file__).resolve().parents[3]
ALL_KERNELS = TABLE_KERNELS | TRAINING_KERNELS


def _output(program: str, **settings: str) -> str:
    names = {*ALL_KERNELS, "XTALK_PRECISION"}
    environment = {name: value for name, value in os.environ.items() if name not in names}
    command = [sys.executable, "-c", program]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=ROOT, env=environment | settings
    ).stdout


def _kernels(**settings: str) -> dict[str, str]:
    environment = json.loads(_output("import json, os, stages; print(json.dumps(dict(os.environ)))", **settings))
    return {name: value for name, value in environment.items() if name in ALL_KERNELS}


@pytest.mark.parametrize("settings", [{}, {"XTALK_PRECISION": "32-true"}])
def test_single_precision_takes_the_kernels_that_all_processors_have(settings: dict[str, str]) -> None:
    assert _kernels(**settings) == ALL_KERNELS


def test_lower_precision_takes_what_the_processor_has() -> None:
    assert _kernels(XTALK_PRECISION="bf16-mixed") == TABLE_KERNELS


def test_numpy_and_its_linear_algebra_take_kernels_without_avx512() -> None:
    program = """
import json, stages
from numpy.lib.introspect import opt_func_info
from threadpoolctl import threadpool_info
import scipy.linalg
functions = opt_func_info(func_name="^(exp|log|cbrt)$", signature="float64")
targets = [kind["current"] for kinds in functions.values() for kind in kinds.values()]
print(json.dumps([targets, [one["architecture"] for one in threadpool_info() if one["internal_api"] == "openblas"]]))
"""
    targets, architectures = json.loads(_output(program))
    assert len(targets) == 3
    assert not [target for target in targets if "V4" in target or "AVX512" in target]
    assert set(architectures) == {"Haswell"}


def test_what_the_user_sets_stays() -> None:
    assert _kernels(ATEN_CPU_CAPABILITY="default")["ATEN_CPU_CAPABILITY"] == "default"
