"""The command against DVC itself: a small project whose one stage writes scores that follow from the encoder's name."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stages.ablation.dos_scores import LENGTH_OF_TRAINING, PROFILE, read_profile
from tests.pipeline.imports import ROOT

FUSED_MAE = {"painn": 0.5, "cgcnn": 0.25, "crystalformer": 0.125, "precomputed": 0.0625}

# A failure that is not in the code, as when memory runs out.
SCORE = """
import json, os, pathlib, yaml
name = yaml.safe_load(pathlib.Path("params.yaml").read_text())["encoder"]["name"]
if name == os.environ.get("FAILING"):
    raise SystemExit("out of memory")
for path in pathlib.Path("templates").rglob("*.json"):
    scores = json.loads(path.read_text())
    if path.parent.name == "fusion":
        scores["test"]["fused_mae"] = FUSED_MAE[name]
    out = pathlib.Path("metrics", path.relative_to("templates"))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(scores))
"""
FILES = ("zero_shot", "fusion/formation_energy_per_atom", "fusion/band_gap", "dos/phonon", "dos/electron")

ENVIRONMENT = {
    **os.environ,
    "DVC_NO_ANALYTICS": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    **{f"GIT_{who}_{what}": "test@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    "PYTHONPATH": str(ROOT),
    "PYTHONDONTWRITEBYTECODE": "1",
}


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def must(folder: Path, *command: str) -> None:
    done = run(folder, *command)
    assert done.returncode == 0, done.stderr


def dvc(folder: Path, *arguments: str) -> None:
    must(folder, sys.executable, "-m", "dvc", *arguments)


def run_queue(folder: Path, failing: str) -> None:
    command = [sys.executable, "-m", "dvc", "exp", "run", "--run-all"]
    # DVC's worker outlives the command by some seconds, and would hold a pipe open as long.
    subprocess.run(
        command,
        cwd=folder,
        env={**ENVIRONMENT, "FAILING": failing},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )


def compare(folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    return run(folder, sys.executable, "-m", "stages.ablation", *names)


def write_project(folder: Path) -> None:
    shutil.copy(ROOT / "params.yaml", folder)
    (folder / PROFILE).parent.mkdir()
    shutil.copy(ROOT / PROFILE, folder / PROFILE)
    for file in FILES:
        (folder / f"templates/{file}.json").parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / f"metrics/{file}.json", folder / f"templates/{file}.json")
    (folder / "score.py").write_text(f"FUSED_MAE = {FUSED_MAE}\n{SCORE}", encoding="utf-8")
    stage = {
        "cmd": f"{sys.executable} score.py",
        "params": ["encoder.name", "dos"],
        "deps": ["score.py"],
        "metrics": [{f"metrics/{file}.json": {"cache": False}} for file in FILES],
    }
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"score": stage}}), encoding="utf-8")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a project in which `cgcnn` has run, `precomputed` failed and `crystalformer` ran on uncommitted code."""
    folder = tmp_path_factory.mktemp("project")
    write_project(folder)
    must(folder, "git", "init", "--quiet")
    dvc(folder, "init", "--quiet")
    dvc(folder, "repro", "--quiet")
    must(folder, "git", "add", "--all")
    must(folder, "git", "commit", "--quiet", "--message", "base")
    dvc(folder, "exp", "run", "--queue", "-S", "encoder.name=cgcnn,precomputed")
    run_queue(folder, "precomputed")
    edit(folder)
    dvc(folder, "exp", "run", "--temp", "-S", "encoder.name=crystalformer")
    must(folder, "git", "checkout", "--quiet", "score.py")
    return folder


@pytest.fixture
def copied(project: Path, tmp_path: Path) -> Path:
    # The worker may still tidy up its own folder.
    shutil.copytree(project, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("celery"))
    return tmp_path


def edit(folder: Path) -> None:
    with (folder / "score.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")


def test_experiments_that_failed_or_ran_on_other_code_stop_the_comparison(project: Path) -> None:
    done = compare(project, "encoders")
    assert done.returncode == 1
    assert done.stderr.startswith("error: the encoders cannot be compared: ")
    assert "crystalformer ran with uncommitted changes of score.py" in done.stderr
    assert "precomputed failed (`dvc queue logs " in done.stderr
    assert "cgcnn" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (project / "metrics/ablation").exists()
    assert not (project / "plots").exists()


def test_experiments_of_an_older_commit_stop_the_comparison(copied: Path) -> None:
    edit(copied)
    must(copied, "git", "commit", "--quiet", "--all", "--message", "edit")
    done = compare(copied, "encoders")
    assert done.returncode == 1
    assert "cgcnn ran on another commit only" in done.stderr
    assert "precomputed has not run on this commit" in done.stderr


def test_the_table_has_the_scores_of_each_encoder(copied: Path) -> None:
    for encoder in ("crystalformer", "precomputed"):
        dvc(copied, "exp", "run", "--temp", "-S", f"encoder.name={encoder}")
    done = compare(copied, "encoders")
    assert done.returncode == 0, done.stderr
    assert (copied / "plots/ablation/encoders.png").read_bytes().startswith(b"\x89PNG")
    table = json.loads((copied / "metrics/ablation/encoders.json").read_text(encoding="utf-8"))
    found = {name: scores["fusion"]["band_gap"]["fused_mae"] for name, scores in table.items()}
    assert found == {(f"{name}_chgnet" if name == "precomputed" else name): mae for name, mae in FUSED_MAE.items()}
    for scores in table.values():
        committed = json.loads((ROOT / "metrics/dos/phonon.json").read_text(encoding="utf-8"))["test"]
        assert scores["dos"]["phonon"].items() <= committed.items()


def test_experiments_with_the_published_profile_count_for_the_models_of_spectra(copied: Path) -> None:
    profile = read_profile(copied / PROFILE)
    settings = [f"{name}={value}" for name, value in profile.items() if name not in LENGTH_OF_TRAINING]
    options = [option for setting in (*settings, "dos.seed=1") for option in ("-S", setting)]
    dvc(copied, "exp", "run", "--temp", *options)
    done = compare(copied, "dos")
    assert done.returncode == 1
    missing = [f"corrected with seed {seed}" for seed in (1, 2)] + [f"published with seed {seed}" for seed in (0, 2)]
    reasons = "; ".join(f"{name} has not run on this commit with the committed settings" for name in missing)
    assert done.stderr == (
        f"error: the models of densities of states cannot be compared: {reasons}. Run `make compare-dos`\n"
    )


def test_outside_a_clone_there_is_a_sentence(tmp_path: Path) -> None:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    done = compare(tmp_path, "encoders")
    assert done.returncode == 1
    assert done.stderr.startswith("error: the experiments cannot be listed; run this in a clone of the project")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("names", [(), ("encoder",), ("encoders", "dos")])
def test_a_comparison_that_does_not_exist_names_those_that_do(names: tuple[str, ...], tmp_path: Path) -> None:
    done = compare(tmp_path, *names)
    assert done.returncode == 1
    assert done.stderr.endswith("is not a comparison; use one of encoders, dos, seeds\n")
