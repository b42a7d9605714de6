"""The engine: the same results in the same order on any number of processes and machines, in a bounded memory."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest

from stages.generate_cif.crystals import Crystal, crystal_from_row
from stages.shared import parallel
from stages.shared.errors import StageError
from stages.shared.parallel import CHUNKS_PER_WORKER, in_order, map_apart, map_ordered, worker_count
from stages.shared.schemas import CRYSTALS_SCHEMA
from stages.shared.sources.materials_project import SOURCE
from stages.shared.sources.record import RawRow
from stages.shared.tables import row_writer
from tests.stages.dask_cluster import dask_cluster, free_port
from tests.stages.raw_records import read_sample_materials_project


@pytest.fixture(autouse=True)
def _workers_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "SECONDS_BEFORE_WORKERS", 0.0)


def square(x: int) -> int:
    return x * x


def fail_at(x: int, bad: int) -> int:
    if x == bad:
        raise ValueError(f"{x} is bad")
    return x


def end_process(x: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return x


@pytest.mark.parametrize("workers", ["1", "2", "3"])
@pytest.mark.parametrize("chunk_size", [1, 7, 100])
def test_results_come_in_order_whatever_the_workers(
    monkeypatch: pytest.MonkeyPatch, workers: str, chunk_size: int
) -> None:
    monkeypatch.setenv("XTALK_WORKERS", workers)
    assert list(map_ordered(square, range(50), chunk_size, "squares")) == [x * x for x in range(50)]
    assert list(map_ordered(square, iter(range(50)), chunk_size, "squares")) == [x * x for x in range(50)]
    assert list(map_ordered(square, [], chunk_size, "squares")) == []


def process_of(x: int) -> int:
    return os.getpid()


def test_other_processes_start_once_there_is_work_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XTALK_WORKERS", "2")
    monkeypatch.setattr(parallel, "SECONDS_BEFORE_WORKERS", 3600.0)
    assert set(map_ordered(process_of, range(50), 7, "numbers")) == {os.getpid()}
    clock = count(0.0, 1.0)  # every chunk seems to take a second
    monkeypatch.setattr(parallel, "SECONDS_BEFORE_WORKERS", 3.0)
    monkeypatch.setattr(parallel, "perf_counter", lambda: next(clock))
    processes = list(map_ordered(process_of, range(50), 7, "numbers"))
    assert set(processes[:21]) == {os.getpid()}
    assert os.getpid() not in processes[21:]


def test_other_processes_start_with_the_first_record_where_there_is_much_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XTALK_WORKERS", "2")
    monkeypatch.setattr(parallel, "SECONDS_BEFORE_WORKERS", 3600.0)
    assert os.getpid() not in set(map_ordered(process_of, range(9), 7, "numbers", at_once=True))
    monkeypatch.setenv("XTALK_WORKERS", "1")
    assert set(map_ordered(process_of, range(9), 7, "numbers", at_once=True)) == {os.getpid()}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_long_work_runs_apart_and_comes_in_order(monkeypatch: pytest.MonkeyPatch, workers: str) -> None:
    monkeypatch.setenv("XTALK_WORKERS", workers)
    assert list(map_apart(square, range(5))) == [0, 1, 4, 9, 16]
    assert list(map_apart(square, [])) == []
    assert (os.getpid() in map_apart(process_of, range(3))) == (workers == "1")
    with pytest.raises(ValueError, match="2 is bad"):
        list(map_apart(partial(fail_at, bad=2), range(4)))


def test_a_senseless_worker_count_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XTALK_WORKERS", "many")
    with pytest.raises(StageError, match="XTALK_WORKERS is 'many'"):
        worker_count()


class _CountingExecutor(ThreadPoolExecutor):
    """Counts what was handed out; the test counts what was delivered."""

    def __init__(self, max_workers: int) -> None:
        super().__init__(max_workers)
        self.handed_out = 0

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.handed_out += 1
        return super().submit(function, *args, **kwargs)


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_never_more_than_the_limit_is_in_flight_however_slow_the_reader(limit: int) -> None:
    with _CountingExecutor(3) as executor:
        in_flight = []
        for delivered, result in enumerate(in_order(executor, limit, square, range(40))):
            assert result == delivered**2
            in_flight.append(executor.handed_out - delivered)
            time.sleep(0.001)  # a reader slower than the workers
    assert max(in_flight) == limit
    assert executor.handed_out == 40


def test_the_input_is_read_no_farther_ahead_than_the_chunks_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XTALK_WORKERS", "2")
    counter = count()
    records = (next(counter) for _ in range(1000))
    for delivered, _ in enumerate(islice(map_ordered(square, records, 3, "squares"), 200)):
        read = int(repr(counter)[len("count(") : -1])
        assert read - delivered <= 3 * CHUNKS_PER_WORKER * 2


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_comes_before_a_failure_is_delivered_and_the_next_run_is_sound(
    monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    monkeypatch.setenv("XTALK_WORKERS", workers)
    results = map_ordered(partial(fail_at, bad=17), range(50), 2, "numbers")
    assert list(islice(results, 16)) == list(range(16))
    with pytest.raises(ValueError, match="17 is bad"):
        next(results)
    assert list(map_ordered(square, range(9), 2, "squares")) == [x * x for x in range(9)]


def test_a_worker_that_runs_out_of_memory_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XTALK_WORKERS", "2")
    with pytest.raises(StageError, match="set XTALK_WORKERS to a smaller number"):
        list(map_ordered(end_process, range(10), 1, "numbers"))
    assert list(map_ordered(square, range(9), 2, "squares")) == [x * x for x in range(9)]


def test_a_scheduler_that_does_not_answer_is_one_sentence_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setenv("XTALK_DASK_SCHEDULER", f"tcp://127.0.0.1:{free_port()}")
    started = time.monotonic()
    with pytest.raises(StageError, match="no Dask scheduler answers"):
        list(map_ordered(square, range(9), 2, "squares"))
    assert time.monotonic() - started < 15


def test_dask_that_is_not_installed_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XTALK_DASK_SCHEDULER", "tcp://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(StageError, match=r"requirements-extra\.txt"):
        list(map_ordered(square, range(9), 2, "squares"))


def write_sample(path: Path, after_row: Callable[[int], None]) -> None:
    """Parse the documents of the sample in chunks of two and write the crystals, calling `after_row` with each."""
    work = partial(crystal_from_row, symmetry_tolerance=0.01, max_atoms=500)
    documents = enumerate(read_sample_materials_project()[:80])
    rows = (RawRow(SOURCE, f"line {number}", {SOURCE: json.dumps(document)}) for number, document in documents)
    with row_writer(path, CRYSTALS_SCHEMA) as table:
        for number, crystal in enumerate(map_ordered(work, rows, 2, "crystals")):
            assert isinstance(crystal, Crystal)
            table.append({**crystal.columns, "split": "train"})
            after_row(number)


def test_a_dask_cluster_that_loses_a_worker_writes_the_bytes_of_one_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XTALK_WORKERS", "1")
    write_sample(tmp_path / "one process", lambda number: None)
    monkeypatch.delenv("XTALK_WORKERS")
    with dask_cluster(2, tmp_path) as (address, workers):
        monkeypatch.setenv("XTALK_DASK_SCHEDULER", address)
        write_sample(tmp_path / "dask", lambda number: workers[0].kill() if number == 30 else None)
        assert workers[0].wait() == -signal.SIGKILL
        assert workers[1].poll() is None
    assert (tmp_path / "dask").read_bytes() == (tmp_path / "one process").read_bytes()


def test_a_dask_cluster_that_cannot_import_the_stages_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with dask_cluster(1, tmp_path, started_in=tmp_path) as (address, _):
        monkeypatch.setenv("XTALK_DASK_SCHEDULER", address)
        with pytest.raises(StageError, match=r"scheduler, tcp.* set PYTHONPATH there"):
            list(map_ordered(square, range(9), 2, "squares"))
