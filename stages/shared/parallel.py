"""Work over many records: ordered, chunked, over processes, with the same bytes whatever the number of workers.

The processes are joblib's (its loky executor) on this machine or, where `XTALK_DASK_SCHEDULER` holds the address of a
Dask scheduler, the workers of that cluster. The executors are used directly because `joblib.Parallel` sets no limit to
the results it holds for a slow reader, and reads its input in the threads that collect results.
"""

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from time import perf_counter
from typing import TypeVar

from joblib import cpu_count
from joblib.externals.loky import get_reusable_executor

from stages.shared.errors import StageError
from stages.shared.memory import give_back_memory
from stages.shared.progress import one, progress, say

Item = TypeVar("Item")
Result = TypeVar("Result")

CHUNKS_PER_WORKER = 4
"""Chunks handed out and not yet delivered, per worker: enough that no worker waits for the slowest chunk."""
SECONDS_BEFORE_WORKERS = 2.0
"""So long the caller works itself: a process takes about as long to start and to import what the work needs."""
_CONNECT_SECONDS = 5
_IDLE_SECONDS = 300
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def worker_count() -> int:
    """Return the number of worker processes: `XTALK_WORKERS`, or the cores this process may use.

    Raises:
        StageError: `XTALK_WORKERS` is not a positive whole number.
    """
    return _chosen_workers() or int(cpu_count())


def map_ordered(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    chunk_size: int,
    label: str,
    total: int | None = None,
    at_once: bool = False,
    size: Callable[[Result], int] = one,
) -> Iterator[Result]:
    """Yield `function(item)` for each item in the order of `items`, computed in worker processes.

    Processes of this machine start after `SECONDS_BEFORE_WORKERS` of work, since for little they would not pay, or with
    the first record where `at_once` says that there is much to do.

    At most `CHUNKS_PER_WORKER` chunks per worker are in memory, as records or as results, however many items there are
    and however slowly the results are taken. `items` is read in the caller's thread, as far ahead as that.

    Args:
        function: a module-level function of one item; its result must depend on nothing else.
        items: the records.
        chunk_size: how many records a worker takes at a time; it changes the speed, never the result.
        label: what the progress line says.
        total: the number of records, where `len(items)` does not tell.
        at_once: whether work on a record, or the import it needs, takes so long that the caller should do none of it.
        size: how many records a result stands for, where an item is a batch of them.

    Raises:
        StageError: the Dask scheduler is out of reach, or a worker was ended from outside and nobody can take over.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    chunks = _chunks_of(items, chunk_size)
    results = itertools.chain.from_iterable(_map_chunks(function, chunks, 0.0 if at_once else SECONDS_BEFORE_WORKERS))
    yield from progress(results, label, total, size)


def map_apart(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Yield `function(item)` for each item in order, computed in processes of this machine, for few items of long work.

    As many run at a time as `worker_count` says; with one, all run in the caller.

    Args:
        function: a module-level function of one item, which keeps to a single thread.
        items: what to work on.

    Raises:
        StageError: a process was ended from outside.
    """
    workers = min(worker_count(), len(items))
    if workers <= 1:
        yield from map(function, items)
    else:
        with _local_workers(workers) as executor:
            yield from in_order(executor, len(items), function, items)


def in_order(
    executor: Executor, limit: int, function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Result]:
    """Yield `function(item)` in the order of `items`, with never more than `limit` items handed out and not delivered.

    What is still running when the caller stops, or when an item fails, is cancelled.
    """
    running: deque[Future[Result]] = deque()
    try:
        for item in items:
            running.append(executor.submit(function, item))
            if len(running) == limit:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        for future in running:
            future.cancel()


def _map_chunks(
    function: Callable[[Item], Result], chunks: Iterator[Sequence[Item]], seconds_alone: float
) -> Iterator[list[Result]]:
    work = partial(_map_chunk, function)
    if address := os.environ.get("XTALK_DASK_SCHEDULER"):
        for first in chunks:  # `in_order` takes all the others
            with _dask_workers(address) as (executor, workers):
                yield from in_order(executor, CHUNKS_PER_WORKER * workers, work, itertools.chain([first], chunks))
        return
    workers, spent = worker_count(), 0.0
    for first in chunks:
        if workers > 1 and spent >= seconds_alone:
            with _local_workers(workers) as executor:
                yield from in_order(executor, CHUNKS_PER_WORKER * workers, work, itertools.chain([first], chunks))
        else:
            start = perf_counter()
            results = work(first)
            spent += perf_counter() - start
            yield results


def _map_chunk(function: Callable[[Item], Result], chunk: Sequence[Item]) -> list[Result]:
    results = [function(item) for item in chunk]
    give_back_memory()
    return results


def _chunks_of(items: Iterable[Item], chunk_size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, chunk_size)):
        yield chunk


@contextmanager
def _local_workers(workers: int) -> Iterator[Executor]:
    try:
        yield get_reusable_executor(max_workers=workers, timeout=_IDLE_SECONDS, env=_ONE_THREAD)
    except BrokenProcessPool:
        raise StageError(
            "a worker process was ended from outside, most likely because memory ran out; set XTALK_WORKERS to a "
            "smaller number"
        ) from None


@contextmanager
def _dask_workers(address: str) -> Iterator[tuple[Executor, int]]:
    """Connect to a scheduler; yield its executor and the number of workers to provide for."""
    try:
        from distributed import Client, KilledWorker
    except ImportError:
        raise StageError(
            "XTALK_DASK_SCHEDULER is set, but dask is not installed: pip install -r requirements-extra.txt, or unset it"
        ) from None
    try:
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError):
        raise StageError(f"no Dask scheduler answers at XTALK_DASK_SCHEDULER={address}; start it or unset it") from None
    with client:
        if not client.nthreads():
            say(f"waiting for the first worker of the Dask scheduler at {address}")
            client.wait_for_workers(1)
        places = {"scheduler": client.run_on_scheduler(find_spec, "stages"), **client.run(find_spec, "stages")}
        if strangers := [name for name, found in places.items() if found is None]:
            raise StageError(
                f"{', '.join(strangers)} of the Dask cluster cannot import the stages; set PYTHONPATH there to the "
                "root of the repository"
            )
        try:
            yield client.get_executor(pure=False), _chosen_workers() or sum(client.nthreads().values())
        except KilledWorker as error:
            raise StageError(f"several Dask workers ended over the same records: {error}") from None


def _chosen_workers() -> int | None:
    setting = os.environ.get("XTALK_WORKERS")
    if setting is None:
        return None
    if not setting.isdecimal() or int(setting) == 0:
        raise StageError(f"XTALK_WORKERS is '{setting}'; set it to a positive whole number or unset it")
    return int(setting)
