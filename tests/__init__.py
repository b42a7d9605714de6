"""The tests, which take the kernels that the stages ask for: libraries choose theirs when they are first imported."""

import stages  # noqa: F401
