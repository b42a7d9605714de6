import re
from typing import Any

import pytest
import yaml

from stages.shared.text_files import read_json
from tests.pipeline.imports import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMPARED = ("painn", "cgcnn", "crystalformer", "precomputed_chgnet")
METRICS = {
    "Formation energy, MAE, eV/atom": ("fusion/formation_energy_per_atom", "fused_mae", "mae"),
    "Band gap, MAE, eV": ("fusion/band_gap", "fused_mae", "mae"),
    "Phonon DOS, R²": ("dos/phonon", "predicted_r2", "r2"),
    "Phonon DOS, MAE": ("dos/phonon", "predicted_mae", "mae"),
    "Electron DOS, R²": ("dos/electron", "predicted_r2", "r2"),
    "Electron DOS, MAE": ("dos/electron", "predicted_mae", "mae"),
}


def table_row(label: str) -> list[str]:
    (line,) = [line for line in README.splitlines() if line.startswith(f"| {label} |")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


@pytest.mark.parametrize("label", METRICS)
def test_the_table_of_results_says_what_the_committed_metrics_say(label: str) -> None:
    file, model, score = METRICS[label]
    test = read_json(ROOT / f"metrics/{file}.json")["test"]
    section, task = file.split("/")
    seeds = read_json(ROOT / "metrics/ablation/seeds.json")[section][task]
    over_seeds = f"{seeds[f'{model}_mean']:.3f} ± {seeds[f'{model}_std']:.3f}"
    alone, trivial, forest = (
        f"{value:.3f}".replace("-", "−")
        for value in (test[model], test[f"mean_baseline_{score}"], test[f"composition_forest_{score}"])
    )
    assert table_row(label) == [alone, over_seeds, trivial, forest]


@pytest.mark.parametrize("direction", ["text_to_crystal", "crystal_to_text"])
def test_the_retrieval_rows_say_what_the_committed_metrics_say(direction: str) -> None:
    scores = read_json(ROOT / "metrics/zero_shot.json")["main"][direction]
    seeds = read_json(ROOT / "metrics/ablation/seeds.json")["retrieval"][direction]
    over_seeds = f"{100 * seeds['top_1_mean']:.0f} ± {100 * seeds['top_1_std']:.0f} %"
    label = direction.replace("_", " ").capitalize() + f", top-1 of {scores['n']}"
    alone, chance = f"{100 * scores['top_1']:.0f} %", f"{100 * scores['top_1_chance']:.1f} %"
    assert table_row(label) == [alone, over_seeds, chance, "–"]


ABLATION = {
    "Formation energy MAE (eV/atom)": ("fusion", "formation_energy_per_atom", "fused_mae"),
    "Band gap MAE (eV)": ("fusion", "band_gap", "fused_mae"),
    "Phonon DOS R²": ("dos", "phonon", "predicted_r2"),
    "Electron DOS R²": ("dos", "electron", "predicted_r2"),
}


@pytest.mark.parametrize("label", ABLATION)
def test_the_comparison_of_encoders_says_what_the_committed_metrics_say(label: str) -> None:
    section, task, score = ABLATION[label]
    scores = read_json(ROOT / "metrics/ablation/encoders.json")
    expected = [scores[encoder][section][task][score] for encoder in COMPARED]
    assert table_row(label) == [f"{value:.3f}".replace("-", "−") for value in expected]


def test_the_comparison_of_encoders_in_retrieval_says_what_the_committed_metrics_say() -> None:
    scores = read_json(ROOT / "metrics/ablation/encoders.json")
    expected = [scores[encoder]["retrieval"]["text_to_crystal"]["top_1"] for encoder in COMPARED]
    assert table_row("Text to crystal, top-1") == [f"{100 * value:.0f} %" for value in expected]


DOS_COMPARISON = {
    "Phonon DOS, R² of three seeds": ("phonon", "r2"),
    "Phonon DOS, MAE of three seeds": ("phonon", "mae"),
    "Electron DOS, R² of three seeds": ("electron", "r2"),
    "Electron DOS, MAE of three seeds": ("electron", "mae"),
}


@pytest.mark.parametrize("label", DOS_COMPARISON)
def test_the_comparison_with_the_published_model_says_what_the_committed_metrics_say(label: str) -> None:
    kind, score = DOS_COMPARISON[label]
    models = read_json(ROOT / "metrics/ablation/dos.json")[kind]
    pairs = [(models[name][f"{score}_mean"], models[name][f"{score}_std"]) for name in ("corrected", "published")]
    assert table_row(label) == [f"{mean:.3f} ± {spread:.3f}".replace("-", "−") for mean, spread in pairs]


def test_the_seed_of_the_committed_results_is_one_of_the_seeds() -> None:
    """Each committed score is that of its seed in the comparison of seeds."""
    study = read_json(ROOT / "metrics/ablation/seeds.json")
    params: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    place = study["seeds"].index(params["dos"]["seed"])
    for file, model, _ in METRICS.values():
        section, task = file.split("/")
        assert study[section][task][model][place] == read_json(ROOT / f"metrics/{file}.json")["test"][model]


def test_every_file_and_every_parameter_named_in_the_readme_exists() -> None:
    for path in re.findall(r"\]\(([^)h][^)]*)\)", README):
        assert (ROOT / path).exists(), path
    params: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for key in re.findall(r"-S ([a-z_.]+)=", README):
        place = params
        for name in key.split("."):
            place = place[name]


def test_the_two_commands_of_the_readme_are_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make ([\w-]+)", README, re.MULTILINE):
        assert f"\n{target}: " in makefile
