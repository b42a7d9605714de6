"""Failures a user can act on: one plain sentence and a non-zero exit status."""

import sys
from collections.abc import Callable


class StageError(Exception):
    """A stage cannot go on; the message is one sentence that says what to do about it."""


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage's `main`; print a `StageError` as one line on stderr and exit with status 1.

    Any other exception is a defect of ours and keeps its traceback.
    """
    try:
        main()
    except StageError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
