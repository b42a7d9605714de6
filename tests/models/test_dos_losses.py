"""Losses of spectra against numpy, scipy and closed forms, one crystal at a time, over its known bins."""

import numpy as np
import pytest
import torch
from scipy.stats import entropy, wasserstein_distance
from sklearn.metrics import mean_absolute_error, mean_squared_error, root_mean_squared_error
from torch import Tensor

from models.dos.losses import (
    SPECTRUM_LOSSES,
    SpectrumLoss,
    dos_loss,
    kl_divergence,
    mae,
    mse,
    rmse,
    sum_rule,
    wasserstein,
)
from models.dos.transformer import DosPrediction

N_BINS = 21
GENERATOR = torch.Generator().manual_seed(0)
PREDICTED, TARGET, OTHER = torch.rand(3, 4, N_BINS, generator=GENERATOR, dtype=torch.float64)
KNOWN = torch.arange(N_BINS) < torch.tensor([21, 15, 9, 20])[:, None]
TRUE = TARGET.masked_fill(~KNOWN, 0)

every_loss = pytest.mark.parametrize("name", SPECTRUM_LOSSES)


def known_bins() -> list[tuple[np.ndarray, np.ndarray]]:
    """True and predicted values of each crystal in its known bins."""
    return [(y[k].numpy(), p[k].numpy()) for y, p, k in zip(TRUE, PREDICTED, KNOWN, strict=True)]


@pytest.mark.parametrize(
    ("loss", "reference"), [(rmse, root_mean_squared_error), (mse, mean_squared_error), (mae, mean_absolute_error)]
)
def test_errors_are_those_of_scikit_learn_over_the_known_bins(loss: SpectrumLoss, reference: SpectrumLoss) -> None:
    expected = [reference(*pair) for pair in known_bins()]
    np.testing.assert_allclose(loss(PREDICTED, TRUE, KNOWN), expected)


def test_wasserstein_is_that_of_scipy_on_a_grid_of_width_one() -> None:
    grid = np.linspace(0, 1, N_BINS)
    expected = [
        wasserstein_distance(grid[: len(true)], grid[: len(true)], true, predicted) for true, predicted in known_bins()
    ]
    np.testing.assert_allclose(wasserstein(PREDICTED, TRUE, KNOWN), expected)


def test_kl_divergence_is_that_of_scipy() -> None:
    expected = [entropy(true, predicted) for true, predicted in known_bins()]
    np.testing.assert_allclose(kl_divergence(PREDICTED, TRUE, KNOWN), expected)


def test_kl_divergence_of_two_gaussians_is_the_closed_form() -> None:
    grid = torch.linspace(-40, 40, 4001, dtype=torch.float64)
    true, predicted = torch.exp(-0.5 * (grid / 2) ** 2)[None], torch.exp(-0.5 * ((grid - 1) / 3) ** 2)[None]
    expected = np.log(3 / 2) + (2**2 + 1**2) / (2 * 3**2) - 0.5
    found = kl_divergence(5 * predicted, true, torch.ones_like(true, dtype=torch.bool)).item()
    assert found == pytest.approx(expected, rel=1e-3)  # shares below 1e-6 count as 1e-6


def test_sum_rule_is_the_relative_error_of_the_number_of_states() -> None:
    assert sum_rule(1.1 * TRUE, TRUE, KNOWN).tolist() == pytest.approx([0.01] * 4)
    np.testing.assert_allclose(sum_rule(TRUE.flip(1), TRUE, torch.ones_like(KNOWN)), 0.0, atol=1e-30)


@every_loss
def test_bins_that_are_not_known_change_nothing_and_get_no_gradient(name: str) -> None:
    predicted = PREDICTED.clone().requires_grad_()
    elsewhere = torch.where(KNOWN, PREDICTED, OTHER)
    loss = SPECTRUM_LOSSES[name](predicted, TRUE, KNOWN)
    torch.testing.assert_close(loss, SPECTRUM_LOSSES[name](elsewhere, TRUE, KNOWN))
    loss.sum().backward()
    assert predicted.grad is not None
    assert (predicted.grad[~KNOWN] == 0).all()
    assert (predicted.grad[KNOWN] != 0).float().mean() > 0.9


@every_loss
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    predicted = PREDICTED.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda p: SPECTRUM_LOSSES[name](p, TRUE, KNOWN), [predicted])


@every_loss
def test_a_perfect_spectrum_has_no_loss_and_no_spectrum_a_gradient_that_is_not_finite(name: str) -> None:
    for start in (TRUE, torch.zeros_like(TRUE)):
        spectrum = start.clone().requires_grad_()
        loss = SPECTRUM_LOSSES[name](spectrum, TRUE, KNOWN)
        loss.sum().backward()
        assert spectrum.grad is not None
        assert spectrum.grad.isfinite().all()
        if start is TRUE:
            np.testing.assert_allclose(loss.detach(), 0.0, atol=1e-4)
        else:
            assert (loss > 0.1).all()


@pytest.mark.parametrize("name", ["wasserstein", "kl"])
def test_losses_of_the_shape_are_blind_to_the_size(name: str) -> None:
    loss = SPECTRUM_LOSSES[name]
    torch.testing.assert_close(loss(7.0 * PREDICTED, TRUE, KNOWN), loss(PREDICTED, 0.1 * TRUE, KNOWN))


@every_loss
def test_both_branches_count_and_the_sum_rule_where_it_has_a_weight(name: str) -> None:
    prediction = DosPrediction(OTHER, PREDICTED)

    def branch(spectrum: Tensor) -> Tensor:
        return (SPECTRUM_LOSSES[name](spectrum, TRUE, KNOWN) + 0.3 * sum_rule(spectrum, TRUE, KNOWN)).mean()

    found = dos_loss(prediction, TRUE, KNOWN, SPECTRUM_LOSSES[name], beta=0.7, sum_rule_weight=0.3)
    torch.testing.assert_close(found, branch(OTHER) + 0.7 * branch(PREDICTED))
