from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stages.shared.checkpoint import TrainingState
from stages.shared.params import TrainingParams
from stages.shared.training import seed_of, train
from tests.stages.shared.test_training import PARAMS, LineTask, fresh_model

AVERAGED = PARAMS.model_copy(update={"swa_epochs": 4})
STEPS_PER_EPOCH = 4  # 30 rows in batches of about 8


class RecordingTask(LineTask):
    """Remembers the trained weights before every step and what was validated."""

    def __init__(self, interrupted_at: int | None = None) -> None:
        super().__init__(best_epoch=3)
        self.interrupted_at = interrupted_at
        self.before_step: list[dict[str, Tensor]] = []
        self.validated: list[dict[str, Tensor]] = []

    def loss(self, model: nn.Module, rows: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            self.before_step.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        return super().loss(model, rows)

    def validate(self, model: nn.Module) -> dict[str, float]:
        assert not model.training
        self.validated.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        if len(self.validated) == self.interrupted_at:
            raise KeyboardInterrupt
        return super().validate(model)


def normed_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 5), nn.BatchNorm1d(5), nn.Linear(5, 1))


def run(
    folder: Path, task: LineTask, params: TrainingParams = AVERAGED, model: nn.Module | None = None
) -> tuple[nn.Module, TrainingState]:
    folder.mkdir(exist_ok=True)
    model = model or fresh_model()
    return model, train(model, task, params, folder, "run")


def mean_of(states: list[dict[str, Tensor]], name: str) -> Tensor:
    return torch.stack([state[name].double() for state in states]).mean(dim=0).float()


def test_the_result_is_the_mean_of_the_weights_after_every_step_of_the_last_epochs(tmp_path: Path) -> None:
    schedule = {"schedule": "inverse_sqrt"}
    model, state = run(tmp_path / "a", RecordingTask(), AVERAGED.model_copy(update=schedule))
    # The weights after a step are those before the next one, so a run that averages one epoch more sees them all.
    longer = RecordingTask()
    run(tmp_path / "longer", longer, AVERAGED.model_copy(update=schedule | {"swa_epochs": 5, "epochs": 7}))
    after_step = longer.before_step[2 * STEPS_PER_EPOCH + 1 : 6 * STEPS_PER_EPOCH + 1]
    assert len(after_step) == 4 * STEPS_PER_EPOCH
    for name, weights in model.state_dict().items():
        torch.testing.assert_close(weights, mean_of(after_step, name), rtol=1e-6, atol=1e-6)
    assert not torch.equal(model.state_dict()["weight"], after_step[-1]["weight"])
    assert state.history[-1]["averaged_steps"] == 4 * STEPS_PER_EPOCH


def test_validation_sees_the_average_of_the_steps_so_far(tmp_path: Path) -> None:
    task = RecordingTask()
    run(tmp_path / "a", task)
    for epoch in (2, 3, 4):
        after_step = task.before_step[2 * STEPS_PER_EPOCH + 1 : (epoch + 1) * STEPS_PER_EPOCH + 1]
        torch.testing.assert_close(task.validated[epoch]["weight"], mean_of(after_step, "weight"), rtol=1e-6, atol=1e-6)
    # before averaging begins it sees the weights that are trained
    assert torch.equal(task.validated[1]["weight"], task.before_step[2 * STEPS_PER_EPOCH]["weight"])


def test_averaging_does_not_disturb_training(tmp_path: Path) -> None:
    steady = {"schedule": "inverse_sqrt", "schedule_steps": 10**12}  # the same rate with and without averaging
    plain, averaged = RecordingTask(), RecordingTask()
    run(tmp_path / "plain", plain, PARAMS.model_copy(update=steady))
    run(tmp_path / "averaged", averaged, AVERAGED.model_copy(update=steady))
    for one, other in zip(plain.before_step, averaged.before_step, strict=True):
        torch.testing.assert_close(one, other)


def test_the_average_is_kept_although_an_earlier_epoch_was_validated_better(tmp_path: Path) -> None:
    task = RecordingTask()
    model, state = run(tmp_path / "a", task)
    assert min(row["val_loss"] for row in state.history) == state.history[2]["val_loss"]
    assert state.best_epoch == AVERAGED.epochs
    assert torch.equal(model.state_dict()["weight"], task.validated[-1]["weight"])
    assert [row["averaged_steps"] for row in state.history] == [0, 0, 4, 8, 12, 16]


def test_a_run_without_averaging_logs_nothing_about_it(tmp_path: Path) -> None:
    _, state = run(tmp_path / "a", RecordingTask(), PARAMS)
    assert "averaged_steps" not in state.history[0]


def test_batch_norm_gets_the_statistics_of_the_averaged_weights_over_the_train_split(tmp_path: Path) -> None:
    task = RecordingTask()
    model, _ = run(tmp_path / "a", task, model=normed_model())
    linear, norm = model[0], model[1]  # type: ignore[index]
    order = np.random.RandomState(seed_of(AVERAGED.seed, AVERAGED.epochs - 1, "statistics")).permutation(task.n_train)
    with torch.no_grad():
        hidden = [linear(task.x[rows]) for rows in np.array_split(order, STEPS_PER_EPOCH)]
    mean = torch.stack([values.mean(dim=0) for values in hidden]).mean(dim=0)
    variance = torch.stack([values.var(dim=0) for values in hidden]).mean(dim=0)
    torch.testing.assert_close(norm.running_mean, mean)
    torch.testing.assert_close(norm.running_var, variance)
    assert torch.equal(task.validated[-1]["1.running_mean"], norm.running_mean)


@pytest.mark.parametrize("fresh", [fresh_model, normed_model])
def test_a_run_interrupted_in_any_epoch_ends_with_the_same_bytes(tmp_path: Path, fresh: type) -> None:
    whole, whole_state = run(tmp_path / "whole", RecordingTask(), model=fresh())
    for epoch in range(1, AVERAGED.epochs + 1):
        folder = tmp_path / f"interrupted-{epoch}"
        with pytest.raises(KeyboardInterrupt):
            run(folder, RecordingTask(interrupted_at=epoch), model=fresh())
        resumed = RecordingTask()
        resumed.epoch = epoch - 1
        model, state = run(folder, resumed, model=fresh())
        assert state == whole_state
        for name, weights in whole.state_dict().items():
            assert torch.equal(weights, model.state_dict()[name]), (epoch, name)
