import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from stages.shared import sentences
from stages.shared.errors import StageError
from stages.shared.scratch import project_sources, scratch_folder

ROOT = Path(__file__).resolve().parents[3]


class Settings(BaseModel):
    learning_rate: float = 0.1


@pytest.fixture(autouse=True)
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


def folder_of(settings: Settings, inputs: list[Path]) -> str:
    with scratch_folder("pretrain", settings, inputs) as folder:
        return folder.name


def test_the_key_depends_on_params_and_on_the_content_of_inputs(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a").write_text("1")
    first = folder_of(Settings(), [data])
    assert folder_of(Settings(), [data]) == first
    assert folder_of(Settings(learning_rate=0.2), [data]) != first
    (data / "a").write_text("2")
    assert folder_of(Settings(), [data]) != first


def test_a_run_that_fails_keeps_its_folder_and_one_that_ends_well_does_not(tmp_path: Path) -> None:
    def failing() -> None:
        with scratch_folder("pretrain", Settings(), []) as folder:
            (folder / "checkpoint").write_text("x")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        failing()
    with scratch_folder("pretrain", Settings(), []) as folder:
        assert (folder / "checkpoint").read_text() == "x"
    assert not folder.exists()


def test_a_second_run_of_the_same_stage_is_refused_in_one_sentence(tmp_path: Path) -> None:
    code = """
from pydantic import BaseModel
from stages.shared.errors import run_stage
from stages.shared.scratch import scratch_folder
from stages.shared import sentences
class Settings(BaseModel):
    learning_rate: float = 0.1
def main():
    with scratch_folder("pretrain", Settings(), []):
        pass
run_stage(main)
"""
    # the same modules must be loaded for the same key
    script = tmp_path / "second.py"
    script.write_text(code)
    held = subprocess.Popen(
        [sys.executable, "-c", code.replace("        pass", "        print('held', flush=True); input()")],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert held.stdout is not None
    assert held.stdout.readline() == b"held\n"
    second = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    held.communicate(b"\n", timeout=60)
    assert second.returncode == 1
    assert second.stderr.startswith("error: pretrain is already running")
    assert second.stderr.count("\n") == 1
    assert held.returncode == 0


def test_code_that_changes_during_the_run_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_text("a = 1")
    monkeypatch.setattr("stages.shared.scratch.project_sources", lambda: [source])

    def edited() -> None:
        with scratch_folder("pretrain", Settings(), []):
            source.write_text("a = 2")

    with pytest.raises(StageError, match="changed while it ran"):
        edited()


def test_the_sources_are_the_imported_modules_of_the_project() -> None:
    assert Path(sentences.__file__) in project_sources()
    assert all(ROOT in path.parents for path in project_sources())
