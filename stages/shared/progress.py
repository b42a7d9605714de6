"""Progress that reads well on a terminal and in a log file alike."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TypeVar

from tqdm import tqdm

_SECONDS_BETWEEN_LINES = 10.0
T = TypeVar("T")


def say(message: str) -> None:
    """Print one line at once, so that a log shows it while the stage is still running."""
    print(message, flush=True)


def one(item: object) -> int:
    """Count an item as one."""
    return 1


def progress(items: Iterable[T], label: str, total: int | None = None, size: Callable[[T], int] = one) -> Iterator[T]:
    """Yield the items, drawing a bar on a terminal and a plain line every ten seconds elsewhere, with the time to go.

    Args:
        items: what to iterate over.
        label: a short noun phrase, for example `describe crystals`.
        total: the number of items, or the sum of their sizes, where `len(items)` does not tell.
        size: how many an item counts for.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    if sys.stderr.isatty():
        with tqdm(desc=label, total=total) as bar:
            for item in items:
                yield item
                bar.update(size(item))
        return
    start = last_line = time.monotonic()
    count = 0
    for item in items:
        yield item
        count += size(item)
        now = time.monotonic()
        if now - last_line >= _SECONDS_BETWEEN_LINES:
            last_line = now
            to_go = "" if total is None else f" of {total}, {(now - start) / count * (total - count):.0f} s to go"
            say(f"{label}: {count}{to_go}")


@contextmanager
def transfer(label: str, total: int | None, done: int = 0) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with the number of bytes that have just arrived.

    It draws a bar on a terminal, and every ten seconds a plain line elsewhere: bytes, speed, and seconds to go.

    Args:
        label: what is transferred.
        total: bytes in all, where that is known.
        done: bytes that were there before.
    """
    if sys.stderr.isatty():
        with tqdm(desc=label, total=total, initial=done, unit="B", unit_scale=True) as bar:

            def draw(n_bytes: int) -> None:
                bar.update(n_bytes)

            yield draw
        return
    start = last_line = time.monotonic()
    arrived = 0

    def count(n_bytes: int) -> None:
        nonlocal arrived, last_line
        arrived += n_bytes
        now = time.monotonic()
        if now - last_line >= _SECONDS_BETWEEN_LINES:
            last_line = now
            say(f"{label}: {_transferred(done + arrived, total, arrived / (now - start))}")

    yield count


def _transferred(done: int, total: int | None, bytes_per_second: float) -> str:
    line = f"{done / 1e6:.1f} MB" if total is None else f"{done / 1e6:.1f} of {total / 1e6:.1f} MB"
    line += f", {bytes_per_second / 1e6:.2f} MB/s"
    return line if total is None else f"{line}, {(total - done) / bytes_per_second:.0f} s to go"
