import re
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.stages.fetch.loopback import Loopback, Reply, Request, serve
from tests.stages.fetch.materials_project import KEY, Material, MaterialsProject, sample_materials
from tests.stages.fetch.stage_runs import remote_params, start_fetch


@dataclass(frozen=True)
class InterruptedRun:
    """A download of the Materials Project, killed among its last pages, and a second run that went on from there."""

    materials: list[Material]
    folder: Path
    output: str
    files: Mapping[str, bytes]
    first_requests: list[Request]
    second_requests: list[Request]


def kill_when_stalled(server: Loopback, folder: Path, source: str, environment: Mapping[str, str], kept: str) -> str:
    """Start the stage, kill it when the server has stalled and `scratch` holds a file, and return what it printed.

    Args:
        server: stalls at some request.
        folder: of the run.
        source: to fetch.
        environment: of the process.
        kept: pattern of the name of the file in `scratch`, which must not be empty.
    """
    process = start_fetch(folder, source, environment)
    try:
        assert server.stalled.wait(timeout=300), "the stage never came to the request that stalls"
        give_up = time.monotonic() + 10
        while not any(path.stat().st_size for path in (folder / "scratch").rglob(kept)):
            assert time.monotonic() < give_up, f"{kept} stays empty"
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        out, err = process.communicate()
    assert process.returncode == -signal.SIGKILL
    return out + err


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of all files below a folder."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="package")
def interrupted_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InterruptedRun]:
    folder, root = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("bucket")
    remote_params(folder, "materials_project")
    materials = sample_materials(230)
    service = MaterialsProject(materials, root)
    stall = [Reply(b"x" * 8, 206, {"Content-Range": "bytes 0-7/8"}, cut=0, stall=True)]

    def answer(request: Request) -> Reply:
        last_pages = re.search(r"phonon/.*parquet$", request.path)
        return stall.pop() if last_pages and stall else service(request)

    with serve(answer) as server:
        server.faults.extend([Reply(status=503), Reply(status=429, headers={"Retry-After": "1"})])
        names = ("XTALK_MATERIALS_PROJECT_ENDPOINT", "XTALK_MATERIALS_PROJECT_TABLES_ENDPOINT")
        environment = {"MP_API_KEY": KEY, **dict.fromkeys(names, server.url)}
        output = kill_when_stalled(server, folder, "materials_project", environment, kept="*.sqlite")
        files = contents(folder)
        first_requests = server.requests.copy()
        server.requests.clear()
        second = start_fetch(folder, "materials_project", environment)
        out, err = second.communicate(timeout=300)
        assert second.returncode == 0, err
        yield InterruptedRun(
            materials, folder, output + out + err, files | contents(folder), first_requests, server.requests
        )
