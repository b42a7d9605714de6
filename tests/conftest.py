"""Settings of all tests."""

import os

import torch
from hypothesis import settings

# one process per core runs tests, so that more threads would only wait for each other
torch.set_num_threads(1)
os.environ.setdefault("XTALK_THREADS", "1")

# the same examples in every run, so that a test fails for everybody or for nobody, and none fails for being slow
settings.register_profile("same_examples", derandomize=True, deadline=None)
settings.load_profile("same_examples")
