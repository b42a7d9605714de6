"""Progress that reads well on a terminal and in a log file alike."""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from tqdm import tqdm

_SECONDS_BETWEEN_LINES = 10.0
T = TypeVar("T")


def say(message: str) -> None:
    """Print one line at once, so that a log shows it while the stage is still running."""
    print(message, flush=True)


def progress(items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """Yield the items, drawing a bar on a terminal and a plain line every ten seconds elsewhere.

    Args:
        items: what to iterate over.
        label: a short noun phrase, for example `describe crystals`.
        total: the number of items, where `len(items)` does not tell.
    """
    if sys.stderr.isatty():
        yield from tqdm(items, desc=label, total=total)
        return
    if total is None and isinstance(items, Sized):
        total = len(items)
    last_line = time.monotonic()
    for count, item in enumerate(items, start=1):
        yield item
        if time.monotonic() - last_line >= _SECONDS_BETWEEN_LINES:
            last_line = time.monotonic()
            say(f"{label}: {count} of {total}" if total is not None else f"{label}: {count}")
