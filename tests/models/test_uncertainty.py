"""Uncertainties against brute force and cases whose answer is known."""

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import nn

from models.dos.attention import PlainBlock
from models.dropout import Dropout
from models.uncertainty import (
    active_dropout,
    conformal_factor,
    coverage,
    sparsification,
    sparsification_error,
    spread,
)

RANDOM = np.random.RandomState(0)
KNOWN = np.ones((60, 200), dtype=bool)
KNOWN[:, 150:] = False


def test_spread_is_the_sample_deviation_of_the_members() -> None:
    members = RANDOM.randn(5, 4, 3)
    expected = np.sqrt(np.square(members - members.mean(axis=0)).sum(axis=0) / 4)
    np.testing.assert_allclose(spread(members), expected)


def test_a_tenfold_overconfidence_is_found_and_mended() -> None:
    deviation = 0.5 + RANDOM.rand(*KNOWN.shape)
    error = 10 * deviation * RANDOM.randn(*KNOWN.shape)
    error[~KNOWN] = 1e9
    assert coverage(error, deviation, KNOWN, 1.0) == pytest.approx(2 * norm.cdf(0.1) - 1, abs=0.01)
    factor = conformal_factor(error, deviation, KNOWN, 0.683)
    assert factor == pytest.approx(10.0, rel=0.05)
    fresh = 10 * deviation * RANDOM.randn(*KNOWN.shape)
    assert coverage(fresh, deviation, KNOWN, factor) == pytest.approx(0.683, abs=0.02)


def test_the_factor_holds_the_wanted_share_where_it_was_found() -> None:
    error, deviation = RANDOM.standard_t(2, KNOWN.shape), RANDOM.rand(*KNOWN.shape)
    for level in (0.5, 0.9):
        factor = conformal_factor(error, deviation, KNOWN, level)
        assert coverage(error, deviation, KNOWN, factor) == pytest.approx(level, abs=2e-4)


def test_members_that_agree_to_the_last_bit_give_a_finite_factor() -> None:
    assert np.isfinite(conformal_factor(np.ones((2, 3)), np.zeros((2, 3)), np.ones((2, 3), dtype=bool), 0.9))


def test_sparsification_takes_the_most_doubtful_away_one_by_one() -> None:
    error, doubt = RANDOM.rand(9), RANDOM.rand(9)
    order = sorted(range(9), key=lambda row: -doubt[row])
    expected = [np.mean([error[row] for row in order[k:]]) for k in range(9)]
    np.testing.assert_allclose(sparsification(error, doubt), expected)


def test_doubt_that_ranks_like_the_error_is_perfect_and_the_reverse_is_worst() -> None:
    error = RANDOM.rand(50)
    assert sparsification_error(error, error**2) == 0.0
    shuffled = [sparsification_error(error, RANDOM.rand(50)) for _ in range(20)]
    assert 0.0 < max(shuffled) < sparsification_error(error, -error)


@pytest.mark.parametrize("model", [nn.Sequential(Dropout(0.5), nn.BatchNorm1d(8)), nn.ModuleList([PlainBlock(8, 0.5)])])
def test_dropout_acts_inside_the_context_only(model: nn.Module) -> None:
    model.eval()
    torch.manual_seed(0)
    x = torch.randn(4, 8)

    def call() -> torch.Tensor:
        return model[0](x[None], x[None]) if isinstance(model, nn.ModuleList) else model(x)

    before, statistics = call(), {name: one.clone() for name, one in model.state_dict().items()}
    with active_dropout(model):
        assert not torch.equal(call(), call())
    torch.testing.assert_close(call(), before)
    assert not any(module.training for module in model.modules())
    assert all(torch.equal(one, statistics[name]) for name, one in model.state_dict().items())
