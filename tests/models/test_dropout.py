"""Dropout against the Mersenne Twister of numpy and against what its definition says."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from models.dropout import Dropout, keep_factors
from tests.pipeline.imports import ROOT


@pytest.mark.parametrize("p", [0.1, 0.5, 0.999])
@pytest.mark.parametrize("shape", [(64,), (7, 3, 5), (1,), (0, 4)])
def test_what_is_kept_follows_from_the_bits_of_the_mersenne_twister_alone(p: float, shape: tuple[int, ...]) -> None:
    torch.manual_seed(5)
    factors = keep_factors(torch.empty(shape, dtype=torch.float64), p)
    n = int(np.prod(shape))
    twister = np.random.RandomState(5)  # numpy's own, seeded as torch seeds its
    halves = twister.randint(0, 2**32, size=(-(-n // 4), 2), dtype=np.uint32)[:, ::-1]  # the upper half is drawn first
    draws = np.ascontiguousarray(halves).view(np.int16).ravel()[:n].reshape(shape)
    n_dropped = round(p * 2**16)
    expected = np.where(draws >= n_dropped - 2**15, 2**16 / (2**16 - n_dropped), 0.0)
    np.testing.assert_array_equal(factors.numpy(), expected)


@pytest.mark.parametrize("p", [0.05, 0.2, 0.9])
def test_the_share_of_the_dropped_is_p_and_the_mean_stays(p: float) -> None:
    torch.manual_seed(0)
    factors = keep_factors(torch.empty(400_000, dtype=torch.float64), p)
    assert (factors == 0).double().mean().item() == pytest.approx(p, abs=5 * (p * (1 - p) / 400_000) ** 0.5)
    assert factors.mean().item() == pytest.approx(1.0, abs=5 * (p / (1 - p) / 400_000) ** 0.5)
    neighbours = (factors[1:] == 0) & (factors[:-1] == 0)
    assert neighbours.double().mean().item() == pytest.approx(p**2, abs=0.005), "draws do not depend on each other"


def test_features_and_gradients_are_scaled_alike_and_the_type_stays() -> None:
    torch.manual_seed(0)
    x = torch.randn(50, 4, dtype=torch.float32, requires_grad=True)
    y = Dropout(0.3)(x)
    y.sum().backward()
    assert y.dtype == torch.float32
    assert x.grad is not None
    torch.testing.assert_close(y, x * x.grad)
    assert sorted(x.grad.unique().tolist()) == pytest.approx([0.0, 1 / 0.7], rel=1e-4)


def test_nothing_is_drawn_in_evaluation_mode_or_with_p_zero() -> None:
    x, before = torch.randn(9), torch.get_rng_state()
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5])
def test_what_is_no_probability_below_one_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="expected a probability"):
        Dropout(p)


def test_no_model_takes_dropout_that_depends_on_the_processor() -> None:
    for path in (ROOT / "models").rglob("*.py"):
        if path.name != "dropout.py":
            text = path.read_text(encoding="utf-8")
            assert not [word for word in ("nn.Dropout(", "F.dropout", "bernoulli", "dropout_p") if word in text], path


def half_dropped(x: Tensor) -> Tensor:
    return Dropout(0.5)(x)


def test_a_checkpoint_of_torch_draws_the_same_again() -> None:
    torch.manual_seed(1)
    x = torch.randn(100, requires_grad=True)
    y = checkpoint(half_dropped, x, use_reentrant=False)
    y.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad * x, y)
