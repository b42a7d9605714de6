import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from stages.shared.optimization import build_optimizer, decay_groups, learning_rate
from tests.stages.shared.test_training import PARAMS

INVERSE_SQRT = PARAMS.model_copy(update={"schedule": "inverse_sqrt", "schedule_steps": 4000})


def cosine_rates(epochs: int, warmup_epochs: int, steps_per_epoch: int) -> list[float]:
    params = PARAMS.model_copy(update={"epochs": epochs, "warmup_epochs": warmup_epochs})
    return [learning_rate(params, step, steps_per_epoch) for step in range(epochs * steps_per_epoch)]


def test_cosine_rises_linearly_and_falls_to_zero() -> None:
    rates = cosine_rates(epochs=6, warmup_epochs=2, steps_per_epoch=2)
    at_epochs = dict(zip((0.5, 1.0, 1.5, 2.0), rates, strict=False))
    assert at_epochs == pytest.approx({0.5: 0.1, 1.0: 0.2, 1.5: 0.3, 2.0: 0.4})
    assert rates[7] == pytest.approx(0.2)  # after four epochs, half-way down
    assert rates[-1] == pytest.approx(0.0)


def test_cosine_is_torch_s_annealing_after_warm_up() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=PARAMS.learning_rate)
    annealing = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4 * 5)
    expected = []
    for _ in range(4 * 5):
        optimizer.step()
        annealing.step()
        expected.append(annealing.get_last_lr()[0])
    assert cosine_rates(epochs=6, warmup_epochs=2, steps_per_epoch=5)[2 * 5 :] == pytest.approx(expected, abs=1e-12)


def test_inverse_sqrt_starts_at_the_full_rate_and_halves_after_three_times_its_steps() -> None:
    assert learning_rate(INVERSE_SQRT, 0, 1) == PARAMS.learning_rate
    long = INVERSE_SQRT.model_copy(update={"epochs": 20_000})
    assert learning_rate(long, 12_000, 1) == pytest.approx(PARAMS.learning_rate / 2)


def test_the_published_rate_at_the_start_of_averaging_is_reached() -> None:
    # MEGNet: 468 steps per epoch, 450 plain epochs of 500; the published log says 6.8e-5
    update = {"learning_rate": 5e-4, "epochs": 500, "swa_epochs": 50}
    assert learning_rate(INVERSE_SQRT.model_copy(update=update), 499 * 468, 468) == pytest.approx(6.8e-5, rel=0.01)


def test_a_constant_rate_does_not_change_whatever_else_is_said() -> None:
    params = PARAMS.model_copy(update={"schedule": "constant", "epochs": 6, "warmup_epochs": 2, "swa_epochs": 2})
    assert {learning_rate(params, step, 5) for step in range(6 * 5)} == {PARAMS.learning_rate}


@given(st.sampled_from(["cosine", "inverse_sqrt"]), st.integers(1, 9), st.integers(2, 12), st.data())
def test_the_rate_stays_where_it_is_while_weights_are_averaged(
    schedule: str, steps_per_epoch: int, epochs: int, data: st.DataObject
) -> None:
    swa_epochs = data.draw(st.integers(1, epochs - 1))
    update = {"schedule": schedule, "epochs": epochs, "swa_epochs": swa_epochs}
    params, plain = PARAMS.model_copy(update=update), PARAMS.model_copy(update=update | {"swa_epochs": 0})
    first_averaged = (epochs - swa_epochs) * steps_per_epoch
    rates = [learning_rate(params, step, steps_per_epoch) for step in range(epochs * steps_per_epoch)]
    unaveraged = [learning_rate(plain, step, steps_per_epoch) for step in range(epochs * steps_per_epoch)]
    assert rates[:first_averaged] == unaveraged[:first_averaged]
    assert len(set(rates[first_averaged:])) == 1
    assert rates[-1] > 0
    neighbours = unaveraged[first_averaged - 1 : first_averaged + 1]
    assert min(neighbours) <= rates[-1] <= max(neighbours)


class Mixed(nn.Module):
    """One parameter of every kind that the rules tell apart."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 3)
        self.norms = nn.ModuleList([nn.LayerNorm(3), nn.BatchNorm1d(3), nn.GroupNorm(1, 3)])
        self.attention = nn.MultiheadAttention(2, 1)
        self.vector = nn.Parameter(torch.ones(3))
        self.scalar = nn.Parameter(torch.tensor(1.0))
        self.frozen = nn.Parameter(torch.ones(2, 2), requires_grad=False)


MATRICES = {"linear.weight", "attention.in_proj_weight", "attention.out_proj.weight"}
EVERYTHING = {name for name, _ in Mixed().named_parameters()} - {"frozen"}


@pytest.mark.parametrize(
    ("decay", "decaying"),
    [("matrices", MATRICES), ("all_but_bias", MATRICES | {"vector", "scalar"}), ("all", EVERYTHING)],
)
def test_weight_decay_falls_on_the_parameters_the_rule_names(decay: str, decaying: set[str]) -> None:
    model = Mixed()
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = decay_groups(model, PARAMS.model_copy(update={"decay": decay}))
    found = [{names[id(parameter)] for parameter in group["params"]} for group in groups]
    assert found[0] == decaying
    assert found[1] == set(names.values()) - decaying - {"frozen"}
    assert [group["weight_decay"] for group in groups] == [PARAMS.weight_decay, 0.0]


@pytest.mark.parametrize("fused", [True, False])
def test_the_first_step_without_gradient_shrinks_what_decays_and_nothing_else(fused: bool) -> None:
    model = Mixed()
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer = build_optimizer(model, PARAMS.model_copy(update={"decay": "all_but_bias"}), fused)
    for group in optimizer.param_groups:
        group["lr"] = 0.5
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in model.named_parameters():
        shrunk = 1 - 0.5 * PARAMS.weight_decay if name in MATRICES | {"vector", "scalar"} else 1.0
        torch.testing.assert_close(parameter.detach(), shrunk * before[name])


@pytest.mark.parametrize("fused", [True, False])
def test_the_betas_are_those_of_the_parameters(fused: bool) -> None:
    weight = nn.Parameter(torch.zeros(1, 1))
    model = nn.Module()
    model.register_parameter("weight", weight)
    optimizer = build_optimizer(model, PARAMS.model_copy(update={"adam_betas": [0.5, 0.75]}), fused)
    for gradient in (1.0, 3.0):
        weight.grad = torch.full((1, 1), gradient)
        optimizer.step()
    state = optimizer.state[weight]
    assert state["exp_avg"].item() == pytest.approx(0.5 * (0.5 * 1.0) + 0.5 * 3.0)
    assert math.sqrt(state["exp_avg_sq"].item()) == pytest.approx(math.sqrt(0.75 * 0.25 * 1.0 + 0.25 * 9.0))
