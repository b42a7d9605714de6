"""A small fixed task, done again and again beside other work: it tells how fast the processor is in those seconds."""

import json
import signal
import time
from types import FrameType

import numpy as np

PERIOD = 0.5
"""Seconds of the process's own time from one task to the next."""
_TEXT = json.dumps({f"atom {number}": [number / 7.0, number / 11.0, number / 13.0] for number in range(300)})


class Metronome:
    """Within `with`, the process does the task twice a second of its time: about one hundredth of it.

    Needs the signal SIGPROF and the main thread. Where the other work took t seconds and the tasks between s_k each,
    t times the mean of 1 / s_k, which is `speed`, is the number of tasks that would have been done instead: it hardly
    changes with the clock of the processor, or with what another program takes from its caches.
    """

    def __init__(self) -> None:
        self._durations: list[float] = []

    def __enter__(self) -> "Metronome":
        """Start; the first task is done at once."""
        self._tick(signal.SIGPROF, None)
        self._before = signal.signal(signal.SIGPROF, self._tick)
        signal.setitimer(signal.ITIMER_PROF, PERIOD, PERIOD)
        return self

    def __exit__(self, *error: object) -> None:
        """Stop."""
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, self._before)

    @property
    def speed(self) -> float:
        """Tasks per second, mean over the ticks."""
        return float(np.mean(1.0 / np.array(self._durations)))

    @property
    def seconds(self) -> float:
        """Processor time that the tasks took."""
        return float(np.sum(self._durations))

    def _tick(self, number: int, frame: FrameType | None) -> None:
        start = time.thread_time()
        _task()
        self._durations.append(time.thread_time() - start)


def _task() -> None:
    """Parse, compute and write numbers, as the stages do."""
    for _ in range(6):
        table = json.loads(_TEXT)
        places = np.array(list(table.values()))  # (300, 3)
        distances = np.sqrt(((places[:, None] - places[None, ::10]) ** 2).sum(axis=-1))  # (300, 30)
        "\n".join(f"{name} {row[0]:.6f} {row[1]:.6f}" for name, row in zip(table, distances, strict=True))
