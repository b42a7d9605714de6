"""The figure is drawn the same every time, also where a score does not exist."""

from pathlib import Path

import pytest

from stages.ablation.encoder_charts import draw_encoders
from stages.ablation.encoder_scores import Scores, encoder_scores
from stages.ablation.experiments import Experiment
from stages.ablation.panels import panels
from stages.shared.errors import StageError
from stages.shared.params import load_params
from stages.shared.text_files import read_json
from tests.pipeline.imports import ROOT

PARAMS = load_params("targets", "dos_kinds", path=ROOT / "params.yaml")


def committed(without: str = "") -> Experiment:
    """Return the results in the repository itself as an experiment."""
    files = ("zero_shot", *(f"fusion/{name}" for name in PARAMS.targets), *(f"dos/{name}" for name in PARAMS.dos_kinds))
    metrics = {f"metrics/{file}.json": read_json(ROOT / f"metrics/{file}.json") for file in files if file != without}
    return Experiment("one", "success", "", {"encoder": {"name": "painn"}}, metrics)


def scores() -> Scores:
    return encoder_scores(committed(), PARAMS.targets, PARAMS.dos_kinds)


def unknown() -> Scores:
    """Return scores as they are when there is no test crystal."""
    return {
        section: {task: {key: 0 if key == "n" else None for key in values} for task, values in tasks.items()}
        for section, tasks in scores().items()
    }


def draw(path: Path, table: dict[str, Scores]) -> bytes:
    draw_encoders(path, table, PARAMS.targets, PARAMS.dos_kinds)
    return path.read_bytes()


def test_every_score_that_a_panel_shows_is_in_the_table() -> None:
    for panel in panels(PARAMS.targets, PARAMS.dos_kinds):
        section, task = panel.task
        shown = {panel.score, f"{panel.score}_low", f"{panel.score}_high", panel.trivial, panel.alone} - {""}
        assert shown <= set(scores()[section][task])


def test_the_order_of_the_encoders_does_not_change_the_figure(tmp_path: Path) -> None:
    forth = {"cgcnn": scores(), "painn": unknown()}
    assert draw(tmp_path / "a.png", forth) == draw(tmp_path / "b.png", dict(reversed(forth.items())))


def test_scores_that_do_not_exist_are_left_out(tmp_path: Path) -> None:
    nothing = draw(tmp_path / "a.png", {"cgcnn": unknown()})
    assert nothing.startswith(b"\x89PNG")
    assert nothing != draw(tmp_path / "b.png", {"cgcnn": scores()})


def test_a_missing_metrics_file_is_named_with_the_experiment() -> None:
    with pytest.raises(StageError, match=r"^one has no metrics/dos/phonon\.json"):
        encoder_scores(committed(without="dos/phonon"), PARAMS.targets, PARAMS.dos_kinds)
