import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pipeline.imports import ROOT, imported_files

PIPELINE: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
PARAMS: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
STAGES: dict[str, dict[str, Any]] = {name: stage.get("do", stage) for name, stage in PIPELINE["stages"].items()}
ENCODERS = ("painn", "cgcnn", "crystalformer", "precomputed")
ENCODER_FOLDERS = tuple(f"models/graph/{name}/" for name in ENCODERS)
CHOSEN_ENCODER = "models/graph/${encoder.name}"
SETTINGS = "stages/shared/params"
TRAINING = ("pretrain", "fusion", "dos")


def module_of(stage: str) -> str:
    match = re.match(r"python -m (\S+)", STAGES[stage]["cmd"])
    assert match is not None
    return match[1]


def entry_point(stage: str) -> Path:
    path = ROOT / module_of(stage).replace(".", "/")
    return path / "__main__.py" if path.is_dir() else path.with_suffix(".py")


def loaded_sections(stage: str) -> set[str]:
    """Return the section names in the stage's `load_params(...)` call."""
    calls = [
        node
        for node in ast.walk(ast.parse(entry_point(stage).read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "load_params"
    ]
    return {argument.value for call in calls for argument in call.args if isinstance(argument, ast.Constant)}  # type: ignore[misc]


def files_of_code_folders(stage: str) -> set[str]:
    """Return the files of the folders that a stage lists, without those that may hold more than it imports."""
    folders = [dep for dep in STAGES[stage]["deps"] if dep.startswith(("stages/", "models/")) and (ROOT / dep).is_dir()]
    files = [path for folder in folders if folder != SETTINGS for path in (ROOT / folder).rglob("*.py")]
    return {str(path.relative_to(ROOT)) for path in files if path.read_text(encoding="utf-8").strip()}


@pytest.mark.parametrize("stage", STAGES)
def test_code_deps_are_exactly_the_imported_files(stage: str) -> None:
    listed = {dep for dep in STAGES[stage]["deps"] if dep.endswith(".py")} | files_of_code_folders(stage)
    imported = imported_files(module_of(stage))
    of_encoders = {file for file in imported if file.startswith(ENCODER_FOLDERS)}
    # of the encoders the chosen one alone is loaded, so its folder stands for them
    assert (CHOSEN_ENCODER in STAGES[stage]["deps"]) == bool(of_encoders)
    # a stage that reads a parameter checks all of them, with the whole of this package
    of_settings = {str(path.relative_to(ROOT)) for path in (ROOT / SETTINGS).glob("*.py")} & imported
    assert (SETTINGS in STAGES[stage]["deps"]) == bool(of_settings)
    imported -= of_encoders | of_settings
    assert listed - imported == set(), "listed but not imported"
    assert imported - listed == set(), "imported but not listed"


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_imports_no_other_encoder(name: str) -> None:
    others = tuple(folder for folder in ENCODER_FOLDERS if folder != f"models/graph/{name}/")
    imported = imported_files(f"models.graph.{name}.model")
    assert f"models/graph/{name}/model.py" in imported
    assert [file for file in imported if file.startswith(others)] == []


@pytest.mark.parametrize("stage", STAGES)
def test_params_are_the_sections_the_stage_loads(stage: str) -> None:
    listed = {str(param).split(".")[0] for param in STAGES[stage].get("params", [])}
    assert listed == loaded_sections(stage)


@pytest.mark.parametrize("stage", STAGES)
def test_every_parameter_a_stage_lists_exists(stage: str) -> None:
    foreach = PIPELINE["stages"][stage].get("foreach", [""])
    # a foreach over a section of params.yaml has the section's keys, and every key has the same parameters
    (section,) = re.findall(r"^\$\{(\w+)\}$", str(foreach)) or [None]
    key = next(iter(PARAMS[section] if section else foreach))
    for param in STAGES[stage].get("params", []):
        place: Any = PARAMS
        for name in param.replace("${encoder.name}", PARAMS["encoder"]["name"]).replace("${key}", key).split("."):
            assert name in place, param
            place = place[name]


def test_every_parameter_is_read_somewhere() -> None:
    files = set((ROOT / "stages").rglob("*.py")) - set((ROOT / SETTINGS).iterdir())
    code = "\n".join(path.read_text(encoding="utf-8") for path in files)
    read = set(re.findall(r"\.(\w+)", code))

    def leaves(tree: dict[str, Any]) -> set[str]:
        below = [leaves(value) if isinstance(value, dict) else {key} for key, value in tree.items()]
        return set().union(*below)

    # the loader looks at the name of an encoder
    assert leaves(PARAMS) - read - {"name"} == set()


@pytest.mark.parametrize("stage", TRAINING)
def test_training_stages_have_cached_outputs_only(stage: str) -> None:
    assert "metrics" not in STAGES[stage]
    assert all(isinstance(out, str) for out in STAGES[stage]["outs"])


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_switches_the_run_cache_off(stage: str) -> None:
    assert not {"always_changed", "frozen"} & set(STAGES[stage])
    assert "persist" not in str(STAGES[stage])


def packages_in(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", packages_in("stages"), ids=str)
def test_a_stage_imports_no_other_stage(path: Path) -> None:
    own = path.relative_to(ROOT / "stages").parts[0]
    imported = set(re.findall(r"^\s*(?:from|import) stages\.(\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    allowed = {"shared"} if own == "shared" else {"shared", own}
    assert imported <= allowed


@pytest.mark.parametrize("path", packages_in("models"), ids=str)
def test_models_know_nothing_of_stages_files_or_logging(path: Path) -> None:
    imported = set(re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    assert not imported & {"stages", "pathlib", "os", "logging", "yaml", "lightning_fabric"}


def test_nothing_is_unpickled_or_evaluated() -> None:
    forbidden = re.compile(
        r"pickle\.load|torch\.load(?!\(.*weights_only=True)|joblib\.load|allow_pickle=True|\beval\(|\bexec\(|trust_remote_code=True|yaml\.unsafe"
    )
    for path in [*packages_in("stages"), *packages_in("models")]:
        found = [line for line in path.read_text(encoding="utf-8").splitlines() if forbidden.search(line)]
        assert [line for line in found if ".eval()" not in line] == [], path


@pytest.mark.parametrize("stage", STAGES)
def test_a_recipe_is_short(stage: str) -> None:
    assert len(entry_point(stage).read_text(encoding="utf-8").splitlines()) <= 90
