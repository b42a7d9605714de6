"""The DOS transformer and the published configuration: which experiments count, and what is said of their scores."""

import statistics
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages.ablation.choice import choose, with_settings
from stages.ablation.dos_charts import draw_dos
from stages.ablation.dos_scores import (
    LENGTH_OF_TRAINING,
    MODELS,
    PROFILE,
    SEEDS,
    dos_comparison,
    dos_table,
    read_profile,
    variant,
)
from stages.ablation.experiments import Commit, Experiment
from stages.shared.errors import StageError
from tests.pipeline.imports import ROOT

PARAMS: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
COMPARISON = dos_comparison(read_profile(ROOT / PROFILE))
R2 = {"corrected": (0.5, 0.75, 0.625), "published": (0.25, 0.125, 0.5)}


def experiment(model: str, seed: int, **changes: Any) -> Experiment:
    """Return an experiment whose MAE is 1 - R², alike for both kinds."""
    name = variant(model, seed)
    r2 = R2[model][seed]
    metrics = {"test": {"n": 37, "predicted_r2": r2, "predicted_mae": 1 - r2}}
    fields = {
        "name": f"run of {name}",
        "state": "success",
        "time": "2026-01-01T00:00:00",
        "params": with_settings(PARAMS, COMPARISON.variants[name]),
        "metrics": {f"metrics/dos/{kind}.json": metrics for kind in PARAMS["dos_kinds"]},
    }
    return Experiment(**{**fields, **changes})


def every() -> dict[str, Experiment]:
    return {variant(model, seed): experiment(model, seed) for model in MODELS for seed in SEEDS}


def chosen(*experiments: Experiment) -> dict[str, Experiment]:
    own = experiment("corrected", 0, name="HEAD", params=PARAMS)
    return choose(COMPARISON, Commit("abc", own, experiments), lambda revision: [])


def draw(path: Path, table: dict[str, Any]) -> bytes:
    draw_dos(path, table)
    return path.read_bytes()


def test_both_models_train_alike_long_and_the_split_and_spectra_are_alike() -> None:
    one, other = (experiment(model, 1).params for model in MODELS)
    assert (other["dos"]["model"], other["dos"]["learning_rate"]) == ("published", 1e-4)
    assert {section for section in PARAMS if one[section] != other[section]} == {"build_graphs", "dos"}
    for name in ("epochs", "patience", "swa_epochs", "loss", "seed"):
        assert one["dos"][name] == other["dos"][name]


def test_one_experiment_of_each_model_and_seed_is_chosen_and_the_commit_is_one_of_them() -> None:
    assert chosen(*every().values()) == every()
    but_first = [one for name, one in every().items() if name != "corrected with seed 0"]
    assert chosen(*but_first)["corrected with seed 0"].name == "HEAD"


@pytest.mark.parametrize(
    ("setting", "value"), [("dos.epochs", 1000), ("dos.dim", 128), ("build_graphs.cutoff", 6.0), ("dos.seed", 3)]
)
def test_an_experiment_with_another_setting_does_not_count(setting: str, value: float) -> None:
    experiments = every()
    name = "published with seed 2"
    experiments[name] = experiment("published", 2, params=with_settings(experiments[name].params, {setting: value}))
    with pytest.raises(StageError) as caught:
        chosen(*experiments.values())
    message = str(caught.value)
    assert "published with seed 2 has not run on this commit" in message
    assert message.endswith("Run `make compare-dos`")
    assert message.count(" with seed ") == 1


def test_the_table_has_every_seed_with_mean_and_deviation() -> None:
    table = dos_table(every(), PARAMS["dos_kinds"])
    assert list(table) == ["phonon", "electron"]
    for scores in table.values():
        assert scores["n"] == 37
        for model, r2 in R2.items():
            own = scores[model]
            assert own["seeds"] == [0, 1, 2]
            assert own["r2"] == list(r2)
            assert own["mae"] == [1 - value for value in r2]
            assert own["r2_mean"] + own["mae_mean"] == pytest.approx(1.0)
            assert own["r2_std"] == pytest.approx(own["mae_std"])
            assert own["r2_std"] ** 2 == pytest.approx(statistics.variance(r2))


def test_a_score_that_does_not_exist_has_no_mean_and_its_panel_says_so(tmp_path: Path) -> None:
    nothing = {"test": {"n": 0, "predicted_r2": None, "predicted_mae": None}}
    unknown = {
        name: Experiment(name, "success", "", {}, {"metrics/dos/phonon.json": nothing}) for name in COMPARISON.variants
    }
    table = dos_table(unknown, ["phonon"])
    assert table["phonon"]["published"]["r2"] == [None, None, None]
    assert table["phonon"]["published"]["r2_mean"] is table["phonon"]["published"]["r2_std"] is None
    picture = draw(tmp_path / "nothing.png", table)
    assert picture.startswith(b"\x89PNG")
    assert picture != draw(tmp_path / "some.png", dos_table(every(), ["phonon"]))


def test_the_figure_tells_the_models_apart_and_is_the_same_every_time(tmp_path: Path) -> None:
    table = dos_table(every(), PARAMS["dos_kinds"])
    swapped = {
        kind: {**scores, "corrected": scores["published"], "published": scores["corrected"]}
        for kind, scores in table.items()
    }
    picture = draw(tmp_path / "a.png", table)
    assert picture == draw(tmp_path / "b.png", table)
    assert picture != draw(tmp_path / "c.png", swapped)


def test_models_tested_on_different_spectra_are_not_compared() -> None:
    metrics = {"metrics/dos/phonon.json": {"test": {"n": 36, "predicted_r2": 0.5, "predicted_mae": 0.5}}}
    experiments = {**every(), variant("published", 1): experiment("published", 1, metrics=metrics)}
    with pytest.raises(StageError, match=r"different phonon spectra.*published with seed 1 on 36"):
        dos_table(experiments, ["phonon"])


def test_make_compare_dos_runs_every_seed_of_every_kind_with_the_profile_but_its_length() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f'-S "dos.seed={",".join(map(str, SEEDS))}"' in makefile
    assert f"grep -v {' '.join(f'-e ^{name}=' for name in LENGTH_OF_TRAINING)} {PROFILE} " in makefile
    for kind in PARAMS["dos_kinds"]:
        assert f" dos@{kind} " in makefile
        assert f" evaluate_dos@{kind}" in makefile
