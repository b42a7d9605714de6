"""A real Dask scheduler with real workers, on the loopback device."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.pipeline.imports import ROOT


def free_port() -> int:
    """Return a port that nobody listens to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def dask_cluster(
    workers: int, folder: Path, started_in: Path = ROOT
) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Start a scheduler and workers of one thread each on the loopback device; yield its address and the workers."""
    distributed = pytest.importorskip("distributed")
    address = f"tcp://127.0.0.1:{free_port()}"
    quiet = {"cwd": started_in, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    python, loopback = [sys.executable, "-m"], ["--host", "127.0.0.1", "--no-dashboard"]
    scheduler = [*python, "distributed.cli.dask_scheduler", *loopback, "--port", address.rpartition(":")[2]]
    worker = [*python, "distributed.cli.dask_worker", address, *loopback, "--nthreads", "1", "--no-nanny"]
    worker += ["--local-directory", str(folder), "--memory-limit", "0"]
    processes = [subprocess.Popen(command, **quiet) for command in [scheduler, *[worker] * workers]]  # type: ignore[call-overload]
    try:
        with distributed.Client(address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=60)
        yield address, processes[1:]
    finally:
        for process in processes:
            process.kill()
            process.wait()
