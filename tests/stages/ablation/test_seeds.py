"""Several seeds: which experiments count, what is said of their scores, and that the figure shows them."""

import statistics
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages.ablation.choice import choose, with_settings
from stages.ablation.experiments import Commit, Experiment
from stages.ablation.panels import panels
from stages.ablation.seed_charts import draw_seeds
from stages.ablation.seed_scores import SCORES, SEED_COMPARISON, SEEDED, SEEDS, seed_table
from stages.shared.errors import StageError
from stages.shared.params import load_params
from stages.shared.text_files import read_json
from tests.pipeline.imports import ROOT

TREE: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
PARAMS = load_params("targets", "dos_kinds", path=ROOT / "params.yaml")
FACTORS = (1.0, 0.875, 1.125, 0.75, 1.0)
FILES = ("zero_shot", *(f"fusion/{name}" for name in PARAMS.targets), *(f"dos/{name}" for name in PARAMS.dos_kinds))


def experiment(seed: int, **changes: Any) -> Experiment:
    """Return the results in the repository with every score of a model times the factor of the seed."""
    metrics = {f"metrics/{file}.json": read_json(ROOT / f"metrics/{file}.json") for file in FILES}
    factor = FACTORS[seed]
    for target in PARAMS.targets:
        metrics[f"metrics/fusion/{target}.json"]["test"]["fused_mae"] *= factor
    for kind in PARAMS.dos_kinds:
        for score in ("predicted_r2", "predicted_mae"):
            metrics[f"metrics/dos/{kind}.json"]["test"][score] *= factor
    for scores in metrics["metrics/zero_shot.json"]["main"].values():
        scores["top_1"] *= factor
    fields = {
        "name": f"run of seed {seed}",
        "state": "success",
        "time": "2026-01-01T00:00:00",
        "params": with_settings(TREE, dict.fromkeys(SEEDED, seed)),
        "metrics": metrics,
    }
    return Experiment(**{**fields, **changes})


def every() -> dict[str, Experiment]:
    return {f"seed {seed}": experiment(seed) for seed in SEEDS}


def table_of(experiments: dict[str, Experiment]) -> dict[str, Any]:
    return seed_table(experiments, PARAMS.targets, PARAMS.dos_kinds)


def draw(path: Path, table: dict[str, Any]) -> bytes:
    draw_seeds(path, table, PARAMS.targets, PARAMS.dos_kinds)
    return path.read_bytes()


def test_the_commit_stands_for_its_own_seed_and_an_experiment_of_some_of_the_models_does_not_count() -> None:
    own = experiment(0, name="HEAD", params=TREE)
    others = [experiment(seed) for seed in SEEDS[1:]]
    chosen = choose(SEED_COMPARISON, Commit("abc", own, others), lambda revision: [])
    assert [one.name for one in chosen.values()] == ["HEAD", *(one.name for one in others)]
    others[-1] = experiment(4, params=with_settings(others[-1].params, {"pretrain.seed": 0}))
    with pytest.raises(StageError, match=r"seed 4 has not run on this commit .* Run `make seeds`"):
        choose(SEED_COMPARISON, Commit("abc", own, others), lambda revision: [])


def test_the_table_has_every_seed_with_mean_and_deviation_and_the_baselines_once() -> None:
    table = table_of(every())
    assert table["seeds"] == list(SEEDS)
    committed = read_json(ROOT / "metrics/fusion/band_gap.json")["test"]
    scores = table["fusion"]["band_gap"]
    expected = [committed["fused_mae"] * factor for factor in FACTORS]
    assert scores["fused_mae"] == expected
    assert scores["fused_mae_mean"] == pytest.approx(committed["fused_mae"] * statistics.fmean(FACTORS))
    assert scores["fused_mae_std"] ** 2 == pytest.approx(statistics.variance(expected))
    assert scores["n"] == committed["n"]
    assert scores["composition_forest_mae"] == committed["composition_forest_mae"]
    for section, tasks in table.items():
        for task in tasks if section != "seeds" else ():
            assert all(len(table[section][task][score]) == len(SEEDS) for score in SCORES[section])


def test_seeds_tested_on_different_crystals_are_not_compared() -> None:
    experiments = every()
    metrics = {**experiments["seed 2"].metrics}
    metrics["metrics/dos/phonon.json"] = {"test": {**metrics["metrics/dos/phonon.json"]["test"], "n": 1}}
    experiments["seed 2"] = experiment(2, metrics=metrics)
    with pytest.raises(StageError, match="seed 2 had other test crystals or baselines of phonon than seed 0"):
        table_of(experiments)


def test_every_panel_finds_its_scores() -> None:
    table = table_of(every())
    for panel in panels(PARAMS.targets, PARAMS.dos_kinds):
        section, task = panel.task
        assert {panel.score, f"{panel.score}_mean", panel.trivial, panel.forest} - {""} <= set(table[section][task])


def test_the_figure_shows_the_seeds_and_is_the_same_every_time(tmp_path: Path) -> None:
    table = table_of(every())
    picture = draw(tmp_path / "a.png", table)
    assert picture.startswith(b"\x89PNG")
    assert picture == draw(tmp_path / "b.png", table)
    assert picture != draw(tmp_path / "c.png", table_of({**every(), "seed 3": experiment(2)}))


def test_a_score_that_does_not_exist_has_no_mean_and_its_panel_says_so(tmp_path: Path) -> None:
    experiments = every()
    for one in experiments.values():
        one.metrics["metrics/dos/phonon.json"]["test"]["predicted_r2"] = None
    table = table_of(experiments)
    assert table["dos"]["phonon"]["predicted_r2_mean"] is table["dos"]["phonon"]["predicted_r2_std"] is None
    assert draw(tmp_path / "a.png", table) != draw(tmp_path / "b.png", table_of(every()))


def test_make_seeds_runs_every_seed_of_everything_that_has_one() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"SEEDS := {' '.join(map(str, SEEDS))}\n" in makefile
    assert f"dvc exp run --queue {' '.join(f'-S {name}=$$seed' for name in SEEDED)}\n" in makefile
    trained = {section for section in ("pretrain", "fusion", "dos") if "seed" in TREE[section]}
    assert {name.removesuffix(".seed") for name in SEEDED} == trained
