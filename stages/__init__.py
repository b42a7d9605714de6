"""The rooms of the pipeline: one package per DVC stage, run as `python -m stages.<name>`.

Numerical libraries choose their kernels by processor when they are first imported, and kernels differ in the last
bits. The settings below ask for the same kernels everywhere (those of any x86 processor since 2013), so that a result
can be compared to the byte. Who trains in lower precision wants speed: then each processor takes its own, such as the
matrix units for bfloat16, without which it would be many times slower than single precision; the tables that the
stages before training write stay the same. Arrow is to take its memory from the system, which gets it back; the pools
of its own keep more and more over a long run. Whoever wants other settings sets the variables before.
"""

import os

TABLE_KERNELS = {"OPENBLAS_CORETYPE": "Haswell", "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR"}
"""Of numpy and scipy, for all stages."""
TRAINING_KERNELS = {"ATEN_CPU_CAPABILITY": "avx2", "MKL_CBWR": "AVX2,STRICT", "ONEDNN_MAX_CPU_ISA": "AVX2"}
"""Of torch, for single precision."""

_settings = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8", "ARROW_DEFAULT_MEMORY_POOL": "system", **TABLE_KERNELS}
if os.environ.get("XTALK_PRECISION", "32-true") == "32-true":
    _settings |= TRAINING_KERNELS
for _name, _value in _settings.items():
    os.environ.setdefault(_name, _value)
