"""Runs on few labels: which labels, how many steps, what is tuned."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from models.crystal_systems import CRYSTAL_SYSTEMS
from stages.shared.dos_task import DosTask
from stages.shared.errors import StageError
from stages.shared.global_inputs import read_global_inputs
from stages.shared.params import Params, load_params
from stages.shared.training import batches
from stages.transfer.curves import Point, curve_scores, labelled_rows, learning_curves
from stages.transfer.few_shot import few_shot_scores, fill_prompt, tune_only
from stages.transfer.runs import FewLabelsTask, Setting, check_model, new_model, once, read_examples
from stages.transfer.starts import train_starts
from tests.pipeline.imports import ROOT
from tests.stages.small_spectra import write_spectra

NEW = "trigonal"


def small_params(**changes: object) -> Params:
    """The parameters of the project in the smallest size that shows everything."""
    params = load_params("build_graphs", "encoder", "dos", "dos_kinds", "transfer", path=ROOT / "params.yaml")
    own = {"seeds": 1, "label_shares": [0.2, 1.0], "steps": 4, "pretraining_epochs": 1, "shots": 2, "shot_epochs": 2}
    return params.model_copy(
        update={
            "encoder": params.encoder.model_copy(update={"dim": 16}),
            "dos": params.dos.model_copy(update={"dim": 16}),
            "transfer": params.transfer.model_copy(update=own | changes),
        }
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_spectra(tmp_path / "data", NEW)


def setting_of(data: Path, kind: str, params: Params) -> Setting:
    scratch = data.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    return Setting(params, kind, read_examples(data, params, kind, scratch), data, scratch / kind)


def test_a_smaller_share_of_labels_is_part_of_a_larger_one() -> None:
    for seed in range(3):
        subsets = [set(labelled_rows(163, share, seed).tolist()) for share in (0.001, 0.05, 0.25, 1.0)]
        assert [len(subset) for subset in subsets] == [1, 8, 41, 163]
        assert all(small <= large for small, large in itertools.pairwise(subsets))
    assert set(labelled_rows(163, 0.05, 0)) != set(labelled_rows(163, 0.05, 1))


def test_an_epoch_on_few_labels_is_as_long_and_sees_only_those(data: Path) -> None:
    setting = setting_of(data, "phonon", small_params())
    task = DosTask(setting.examples, read_global_inputs(data, []), setting.params.dos)
    rows = np.array([1, 4, 7])
    few = FewLabelsTask(task, rows)
    assert few.n_train == task.n_train
    seen = [few.batch(one, np.random.RandomState(0)) for one in batches(few.n_train, 4, np.random.RandomState(0))]
    atoms = torch.cat([batch.crystals.atomic_numbers for batch in seen])
    allowed = task.batch(rows, np.random.RandomState(0)).crystals.atomic_numbers
    assert len(atoms) == task.n_train
    assert set(atoms.tolist()) == set(allowed.tolist())
    assert FewLabelsTask(task, rows, validates=False).validate(torch.nn.Linear(1, 1)) == {}


def test_every_start_takes_the_same_labels_and_a_killed_command_repeats_no_run(data: Path) -> None:
    params = small_params()
    settings = {kind: setting_of(data, kind, params) for kind in ("phonon", "electron")}
    global_inputs = read_global_inputs(data, [])
    starts = train_starts(settings, "phonon", global_inputs)
    assert set(starts) == {"scratch", "denoising", "electron_dos"}
    points = learning_curves(settings["phonon"], starts, global_inputs)
    n_train = len(settings["phonon"].examples.of_split("train"))
    assert {(one.start, one.share, one.n_labels) for one in points} == {
        (start, share, n) for start in starts for share, n in ((0.2, round(0.2 * n_train)), (1.0, n_train))
    }
    assert len({round(one.mae, 6) for one in points}) == len(points)
    for start in starts:
        (settings["phonon"].scratch / f"{start}-1-0" / "checkpoint.safetensors").unlink()
    assert learning_curves(settings["phonon"], starts, global_inputs) == points


def test_means_over_the_seeds_stand_beside_each_seed() -> None:
    points = [Point("a", 0.5, 10, seed, mae, 1 - mae) for seed, mae in enumerate((0.1, 0.3))]
    expected = {"share": 0.5, "n_labels": 10, "mae": 0.2, "r2": 0.8}
    found = curve_scores([*points, Point("a", 0.05, 1, 0, 0.9, 0.1)])["a"]
    assert [entry["share"] for entry in found] == [0.05, 0.5]
    assert {name: found[1][name] for name in expected} == pytest.approx(expected)
    assert found[1]["mae_of_each_seed"] == [0.1, 0.3]


def test_tuning_the_prompt_leaves_everything_else_as_it_was(data: Path) -> None:
    setting = setting_of(data, "phonon", small_params())
    model = new_model(setting, setting.params.dos)
    tune_only(model, "prompt")
    free = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert free == {"prompts.weight", "output.weight", "output.bias"}
    tune_only(model, "everything")
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_an_untrained_prompt_becomes_the_mean_of_the_trained_ones(data: Path) -> None:
    setting = setting_of(data, "phonon", small_params())
    model = new_model(setting, setting.params.dos)
    before = model.prompts.weight.detach().clone()
    fill_prompt(model, 3, np.array([0, 0, 5]))
    torch.testing.assert_close(model.prompts.weight[3], (before[0] + before[5]) / 2)
    others = torch.arange(len(before)) != 3
    assert torch.equal(model.prompts.weight[others], before[others])


def test_few_shot_scores_the_crystals_of_the_new_system_outside_train(data: Path) -> None:
    setting = setting_of(data, "phonon", small_params())
    result = few_shot_scores(setting, read_global_inputs(data, []))
    examples = setting.examples
    new = examples.crystal_system == CRYSTAL_SYSTEMS.index(NEW)
    assert result["n"] == int((new & (examples.graphs.splits != "train")).sum())
    assert result["n_shots"] == 2
    assert set(result["scores"]) == {"untuned", "prompt", "everything", "shots_only"}
    assert len({one["mae"] for one in result["scores"].values()}) == 4


def test_without_a_crystal_of_the_new_system_there_is_a_sentence(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    setting = setting_of(data, "phonon", small_params(new_system="hexagonal"))
    assert few_shot_scores(setting, read_global_inputs(data, []))["scores"] is None
    assert "too few hexagonal crystals" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("section", "change", "reason"),
    [("dos", {"model": "published"}, "needs transformer"), ("encoder", {"name": "precomputed"}, "reads no structure")],
)
def test_a_model_that_cannot_be_transferred_is_refused(section: str, change: dict[str, str], reason: str) -> None:
    params = small_params()
    changed = getattr(params, section).model_copy(update=change)
    with pytest.raises(StageError, match=reason):
        check_model(params.model_copy(update={section: changed}))


def test_what_is_noted_is_not_run_again(tmp_path: Path) -> None:
    first = once(tmp_path / "note.json", lambda: {"mae": 0.123456789})
    assert once(tmp_path / "note.json", lambda: {"mae": 1.0}) == first
