"""Work over many records: ordered, chunked, over processes, with the same bytes whatever the number of workers."""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from joblib import Parallel, cpu_count, delayed

from stages.shared.errors import StageError
from stages.shared.progress import progress

Item = TypeVar("Item")
Result = TypeVar("Result")


def worker_count() -> int:
    """Return the number of worker processes: `XTALK_WORKERS`, or the cores this process may use.

    Raises:
        StageError: `XTALK_WORKERS` is not a positive whole number.
    """
    setting = os.environ.get("XTALK_WORKERS")
    if setting is None:
        return int(cpu_count())
    if not setting.isdecimal() or int(setting) == 0:
        raise StageError(f"XTALK_WORKERS is '{setting}'; set it to a positive whole number or unset it")
    return int(setting)


def map_ordered(
    function: Callable[[Item], Result], items: Sequence[Item], chunk_size: int, label: str
) -> Iterator[Result]:
    """Yield `function(item)` for each item in the order of `items`, computed in worker processes.

    Args:
        function: a module-level function of one item; its result must depend on nothing else.
        items: the records.
        chunk_size: how many records a worker takes at a time; it changes the speed, never the result.
        label: what the progress line says.
    """
    workers = min(worker_count(), max(1, -(-len(items) // chunk_size)))
    if workers == 1:
        yield from progress(map(function, items), label, total=len(items))
        return
    chunks = (items[start : start + chunk_size] for start in range(0, len(items), chunk_size))
    parallel = Parallel(n_jobs=workers, return_as="generator", pre_dispatch="2*n_jobs", batch_size=1)
    results: Iterable[list[Result]] = parallel(delayed(_map_chunk)(function, chunk) for chunk in chunks)
    yield from progress(itertools.chain.from_iterable(results), label, total=len(items))


def _map_chunk(function: Callable[[Item], Result], chunk: Sequence[Item]) -> list[Result]:
    return [function(item) for item in chunk]
