"""Only experiments that differ in what is compared are chosen, and what is missing is said with its reason."""

from collections.abc import Sequence
from typing import Any

import pytest

from stages.ablation.choice import choose, with_settings
from stages.ablation.encoder_scores import ENCODER_COMPARISON, ENCODERS
from stages.ablation.experiments import Commit, Experiment
from stages.shared.errors import StageError
from tests.pipeline.imports import ROOT


def experiment(encoder: str, **changes: Any) -> Experiment:
    params = {"encoder": {"name": encoder, "dim": 96}, "fusion": {"epochs": 35}}
    fields = {
        "name": f"run-{encoder}",
        "state": "success",
        "time": "2026-01-01T00:00:00",
        "params": params,
        "metrics": {},
    }
    return Experiment(**{**fields, **changes})


def commit(*experiments: Experiment, encoder: str = "painn") -> Commit:
    return Commit("abc", experiment(encoder, name="HEAD"), experiments)


def no_other(revision: str) -> Sequence[Commit]:
    return []


def refusal(last: Commit, others: Sequence[Commit] = ()) -> str:
    with pytest.raises(StageError) as caught:
        choose(ENCODER_COMPARISON, last, lambda revision: others)
    return str(caught.value)


EVERY = [experiment(encoder) for encoder in ENCODERS]
BUT_CGCNN = [one for one in EVERY if one.name != "run-cgcnn"]


def test_one_experiment_of_each_encoder_is_chosen() -> None:
    assert choose(ENCODER_COMPARISON, commit(*EVERY), no_other) == dict(zip(ENCODERS, EVERY, strict=True))


def test_an_experiment_stands_before_the_commit_itself_and_the_commit_before_nothing() -> None:
    assert choose(ENCODER_COMPARISON, commit(*EVERY), no_other)["painn"].name == "run-painn"
    assert choose(ENCODER_COMPARISON, commit(*EVERY[1:]), no_other)["painn"].name == "HEAD"


def test_the_commit_does_not_stand_in_for_an_experiment_that_failed() -> None:
    assert "painn failed" in refusal(commit(experiment("painn", state="failed"), *EVERY[1:]))


def test_the_newest_of_an_encoder_is_chosen_in_whatever_order_they_are_listed() -> None:
    newer = experiment("cgcnn", name="newer", time="2026-01-02T00:00:00")
    assert choose(ENCODER_COMPARISON, commit(newer, *EVERY), no_other)["cgcnn"] is newer
    assert choose(ENCODER_COMPARISON, commit(*EVERY, newer), no_other)["cgcnn"] is newer


@pytest.mark.parametrize(
    "params",
    [
        {"encoder": {"name": "cgcnn", "dim": 128}, "fusion": {"epochs": 35}},
        {"encoder": {"name": "cgcnn", "dim": 96}, "fusion": {"epochs": 70}},
        {"encoder": {"name": "cgcnn", "dim": 96}, "fusion": {"epochs": 35}, "extra": 1},
    ],
)
def test_an_experiment_with_another_setting_is_not_compared(params: dict[str, Any]) -> None:
    other = experiment("cgcnn", params=params, time="2026-01-02T00:00:00")
    assert choose(ENCODER_COMPARISON, commit(*EVERY, other), no_other)["cgcnn"].name == "run-cgcnn"
    assert "cgcnn has not run on this commit" in refusal(commit(*BUT_CGCNN, other))


def test_a_failed_attempt_does_not_hide_an_earlier_success() -> None:
    failed = experiment("cgcnn", name="late", state="failed", time="2026-01-02T00:00:00")
    assert choose(ENCODER_COMPARISON, commit(*EVERY, failed), no_other)["cgcnn"].name == "run-cgcnn"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": "failed"}, "cgcnn failed (`dvc queue logs run-cgcnn`"),
        ({"state": "queued"}, "cgcnn is queued (run-cgcnn)"),
        ({"state": "running"}, "cgcnn is running (run-cgcnn)"),
        (
            {"changed_files": ["models/a.py"]},
            "cgcnn ran with uncommitted changes of models/a.py",
        ),
    ],
)
def test_an_experiment_that_does_not_count_is_named_with_the_reason(changes: dict[str, Any], words: str) -> None:
    message = refusal(commit(*BUT_CGCNN, experiment("cgcnn", **changes)))
    assert words in message
    assert message.endswith("Run `make ablation`")
    assert "painn" not in message


def test_an_attempt_that_still_runs_is_newer_than_those_that_failed() -> None:
    attempts = [experiment("cgcnn", state="failed"), experiment("cgcnn", name="again", state="running", time="")]
    assert "cgcnn is running (again)" in refusal(commit(*BUT_CGCNN, *attempts))


def test_an_experiment_of_another_commit_is_said_to_be_one() -> None:
    assert "cgcnn ran on another commit only" in refusal(commit(*BUT_CGCNN), [commit(*EVERY)])
    assert "cgcnn has not run on this commit" in refusal(commit(*BUT_CGCNN), [commit(*BUT_CGCNN)])


def test_every_missing_encoder_is_named() -> None:
    message = refusal(commit(encoder="precomputed"))
    assert [encoder for encoder in ENCODERS if f"{encoder} has not run" in message] == list(ENCODERS[:3])


def test_settings_are_set_by_their_paths_in_a_copy() -> None:
    params = {"a": {"b": {"c": 1, "d": 2}}, "e": 3}
    assert with_settings(params, {"a.b.c": 4, "e": 5, "f.g": 6}) == {
        "a": {"b": {"c": 4, "d": 2}},
        "e": 5,
        "f": {"g": 6},
    }
    assert params == {"a": {"b": {"c": 1, "d": 2}}, "e": 3}


def test_make_ablation_runs_every_encoder() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f'-S "encoder.name={",".join(ENCODERS)}"' in makefile
