import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stages.shared.checkpoint import TrainingState, part, read_checkpoint, write_checkpoint
from stages.shared.errors import StageError
from stages.shared.params import TrainingParams
from stages.shared.training import batches, train

ROOT = Path(__file__).resolve().parents[3]
PARAMS = TrainingParams(
    seed=0,
    epochs=6,
    batch_size=8,
    learning_rate=0.4,
    schedule="cosine",
    warmup_epochs=2,
    schedule_steps=4000,
    adam_betas=[0.9, 0.999],
    weight_decay=0.01,
    decay="matrices",
    gradient_clip=100.0,
    patience=0,
    swa_epochs=0,
)


class LineTask:
    """Fit y = 3 x₀ − x₁ with a noisy validation that is best at a chosen epoch."""

    n_train = 30

    def __init__(self, best_epoch: int | None = None) -> None:
        self.x = torch.randn(self.n_train, 2, generator=torch.Generator().manual_seed(0))
        self.y = 3 * self.x[:, 0] - self.x[:, 1]
        self.best_epoch = best_epoch
        self.epoch = 0

    def batch(self, rows: np.ndarray, random: np.random.RandomState) -> Tensor:
        return torch.from_numpy(rows)

    def loss(self, model: nn.Module, rows: Tensor) -> Tensor:
        predicted = nn.functional.dropout(model(self.x[rows]), 0.1)[:, 0]
        return (predicted - self.y[rows]).square().mean()

    def validate(self, model: nn.Module) -> dict[str, float]:
        self.epoch += 1
        return {} if self.best_epoch is None else {"val_loss": float(abs(self.epoch - self.best_epoch))}


def fresh_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(2, 1)


def test_the_weights_of_the_best_epoch_are_kept(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    long, short = fresh_model(), fresh_model()
    state = train(long, LineTask(best_epoch=2), PARAMS, tmp_path / "a", "long")
    assert (state.best_epoch, state.epoch, len(state.history)) == (2, 6, 6)
    stopped = LineTask(best_epoch=2)
    state = train(short, stopped, PARAMS.model_copy(update={"patience": 1}), tmp_path / "b", "short")
    assert (state.best_epoch, state.epoch) == (2, 3)
    assert torch.equal(long.weight, short.weight)  # type: ignore[arg-type]


def test_without_validation_the_last_epoch_is_kept_and_learning_happens(tmp_path: Path) -> None:
    model = fresh_model()
    state = train(model, LineTask(), PARAMS, tmp_path, "fit")
    assert state.best_epoch == PARAMS.epochs
    assert state.history[-1]["train_loss"] < 0.5 * state.history[0]["train_loss"]


def test_training_that_diverges_is_one_sentence(tmp_path: Path) -> None:
    task = LineTask()
    task.y[3] = torch.inf
    with pytest.raises(StageError, match=r"diverged in epoch 1; lower learning_rate, now 0\.4"):
        train(fresh_model(), task, PARAMS, tmp_path, "fit")


def test_every_row_is_in_exactly_one_batch_of_nearly_equal_size() -> None:
    for n_rows in (1, 7, 8, 33, 100):
        order = list(batches(n_rows, 8, np.random.RandomState(0)))
        assert sorted(np.concatenate(order)) == list(range(n_rows))
        assert max(map(len, order)) - min(map(len, order)) <= 1


def test_checkpoint_round_trip_and_a_torn_file_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    model = fresh_model()
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    state = TrainingState(3, [{"epoch": 1.0}], 2, 0.25)
    write_checkpoint(path, state, model.state_dict(), model.state_dict(), optimizer.state_dict())
    read = read_checkpoint(path)
    assert read is not None
    assert read[0] == state
    assert torch.equal(part(read[1], "best")["weight"], model.weight)  # type: ignore[arg-type]
    assert torch.equal(read[1]["optimizer.0.exp_avg"], optimizer.state_dict()["state"][0]["exp_avg"])
    path.write_bytes(path.read_bytes()[:-5])
    assert read_checkpoint(path) is None
    assert read_checkpoint(tmp_path / "none") is None


SLOW_RUN = """
import sys, time
from pathlib import Path
import torch
from stages.shared.training import train
from tests.stages.shared.test_training import PARAMS, LineTask, fresh_model

class SlowTask(LineTask):
    def validate(self, model):
        time.sleep(float(sys.argv[2]))
        return {}

folder = Path(sys.argv[1])
folder.mkdir(exist_ok=True)
model = fresh_model()
params = PARAMS.model_copy(update={"epochs": 12, "swa_epochs": int(sys.argv[3])})
state = train(model, SlowTask(), params, folder, "run")
from stages.shared.weights import save_weights
save_weights(folder / "out", model.state_dict(), {"history": state.history})
"""


def start(folder: Path, pause: float, swa_epochs: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", SLOW_RUN, str(folder), str(pause), str(swa_epochs)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"})


@pytest.mark.parametrize("swa_epochs", [0, 9])
def test_a_run_killed_at_any_moment_ends_with_the_bytes_of_an_undisturbed_one(tmp_path: Path, swa_epochs: int) -> None:
    assert start(tmp_path / "whole", 0.0, swa_epochs).wait(120) == 0
    killed = tmp_path / "killed"
    for n_epochs in (1, 5):
        process = start(killed, 0.3, swa_epochs)
        deadline = time.monotonic() + 100
        while time.monotonic() < deadline:
            checkpoint = read_checkpoint(killed / "checkpoint.safetensors")
            if checkpoint is not None and checkpoint[0].epoch >= n_epochs:
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (killed / "out").exists()
    assert start(killed, 0.0, swa_epochs).wait(120) == 0
    for name in ("weights.safetensors", "config.json"):
        assert (killed / "out" / name).read_bytes() == (tmp_path / "whole/out" / name).read_bytes()
