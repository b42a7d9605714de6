from pathlib import Path

from tests.stages.fetch.conftest import InterruptedRun, kill_when_stalled
from tests.stages.fetch.figshare import NUMBERS, Figshare, sample_files
from tests.stages.fetch.loopback import Reply, Request, serve
from tests.stages.fetch.stage_runs import fetch, remote_params


def test_a_killed_download_asks_for_no_page_again(interrupted_run: InterruptedRun) -> None:
    first = [request.path for request in interrupted_run.first_requests]
    assert first.count("/materials/summary/") >= 3  # the ids, and two pages of documents
    assert any("total-dos" in path and path.endswith(".parquet") for path in first)
    second = [request.path for request in interrupted_run.second_requests]
    assert [path for path in second if path.startswith("/materials/")] == []
    assert [path for path in second if "total-dos" in path and path.endswith(".parquet")] == []
    assert any("phonon/" in path and path.endswith(".parquet") for path in second)


def test_nothing_lies_under_a_final_name_when_a_download_is_killed(interrupted_run: InterruptedRun) -> None:
    raw = interrupted_run.folder / "data/raw/materials_project"
    assert sorted(path.name for path in raw.iterdir()) == ["manifest.json", "materials_project.jsonl.gz"]
    kept = [name for name in interrupted_run.files if "/scratch/" in name and name.endswith(".sqlite")]
    assert len(kept) == 1
    assert not list((interrupted_run.folder / "scratch").rglob("*.sqlite"))


def test_a_killed_file_goes_on_in_its_middle_and_comes_out_the_same(tmp_path: Path) -> None:
    files = sample_files()
    number = NUMBERS["jarvis_edos_pdos.json.zip"]
    service = Figshare(files)
    half = len(files[number]) // 2
    stall = [Reply(files[number], headers={"ETag": f'"{number}"'}, cut=half, stall=True)]

    def answer(request: Request) -> Reply:
        return stall.pop() if stall and request.path == f"/file/download/{number}" else service(request)

    remote_params(tmp_path, "jarvis", datasets=["edos_pdos"])
    with serve(answer) as server:
        environment = {"XTALK_FIGSHARE_ENDPOINT": server.url}
        kill_when_stalled(server, tmp_path, "jarvis", environment, kept="*.part")
        assert not (tmp_path / "data/raw/jarvis/jarvis_edos_pdos.json.zip").exists()
        server.requests.clear()
        run = fetch(tmp_path, "jarvis", environment)
        ranges = [request.headers["Range"] for request in server.requests if "download" in request.path]
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "data/raw/jarvis/jarvis_edos_pdos.json.zip").read_bytes() == files[number]
    (start,) = (int(one.removeprefix("bytes=").removesuffix("-")) for one in ranges)
    assert 0 < start <= half
