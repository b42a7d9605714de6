"""Settings of all tests."""

from hypothesis import settings

# the same examples in every run, so that a test fails for everybody or for nobody, and none fails for being slow
settings.register_profile("same_examples", derandomize=True, deadline=None)
settings.load_profile("same_examples")
