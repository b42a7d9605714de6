"""What the DOS transformer is trained to make small.

A spectrum loss maps predicted and true spectra and the known bins, (batch, n_bins) each, to one number per crystal,
(batch,). Bins that are not known count in no loss.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from models.dos.transformer import DosPrediction

SpectrumLoss = Callable[[Tensor, Tensor, Tensor], Tensor]

_SMALLEST_SHARE = 1e-6  # of a spectrum's weight in a bin, so that the logarithm of an empty bin stays finite


def dos_loss(
    prediction: DosPrediction,
    target: Tensor,
    known: Tensor,
    spectrum_loss: SpectrumLoss,
    beta: float,
    sum_rule_weight: float,
) -> Tensor:
    r"""Loss of both branches, a scalar.

    $$ \mathcal L = \frac1B \sum_i \ell_i(\text{global}) + \frac{\beta}{B} \sum_i \ell_i(\text{system}) $$

    where $\ell_i$ is the spectrum loss of crystal $i$ plus `sum_rule_weight` times its `sum_rule`. With `rmse` and no
    sum rule it is that of Lee et al. 2023 (see `DosTransformer`), in the per-crystal form their electron training uses;
    their phonon code takes the root over the whole batch, which is the same at its batch size of 1.

    Args:
        prediction: of B crystals.
        target: (B, n_bins), normalised as the kind wants.
        known: (B, n_bins) bool, at least one bin of each crystal.
        spectrum_loss: of `SPECTRUM_LOSSES`.
        beta: weight of the system branch.
        sum_rule_weight: 0 leaves the sum rule out; `wasserstein` and `kl_divergence` need it to know how large a
            spectrum is.
    """

    def branch(predicted: Tensor) -> Tensor:
        loss = spectrum_loss(predicted, target, known)
        if sum_rule_weight > 0:
            loss = loss + sum_rule_weight * sum_rule(predicted, target, known)
        return loss.mean()

    return branch(prediction.global_spectrum) + beta * branch(prediction.system_spectrum)


def rmse(predicted: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Root mean squared error of each crystal, (batch,); a perfect spectrum has zero gradient."""
    # the gradient of a norm at zero is zero in torch, that of sqrt is infinite
    norm = torch.linalg.vector_norm(_known(predicted - target, known), dim=1)
    return norm / known.sum(dim=1).sqrt()


def mse(predicted: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Mean squared error of each crystal, (batch,)."""
    return _known(predicted - target, known).square().sum(dim=1) / known.sum(dim=1)


def mae(predicted: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Mean absolute error of each crystal, (batch,)."""
    return _known(predicted - target, known).abs().sum(dim=1) / known.sum(dim=1)


def wasserstein(predicted: Tensor, target: Tensor, known: Tensor) -> Tensor:
    r"""First Wasserstein distance of the two shapes, (batch,), as a share of the grid's width.

    $$ W_1 = \frac{1}{M - 1} \sum_{m=1}^{M-1} \left| F_m - \hat F_m \right| $$

    with cumulative sums $F$ of spectra with unit sum; the bins lie evenly. Blind to the size of the prediction.
    """
    difference = _shares(predicted, known).cumsum(dim=1) - _shares(target, known).cumsum(dim=1)
    return difference[:, :-1].abs().mean(dim=1)


def kl_divergence(predicted: Tensor, target: Tensor, known: Tensor) -> Tensor:
    r"""Kullback-Leibler divergence of the true shape from the predicted one, (batch,), in nats.

    $$ D = \sum_m p_m \ln \frac{p_m}{\hat p_m} $$

    with $p$ the spectra with unit sum. Shares below 1e-6 count as 1e-6 in the logarithm of the prediction. Blind to the
    size of the prediction.
    """
    true = _shares(target, known)
    log_predicted = _shares(predicted, known).clamp(min=_SMALLEST_SHARE).log()
    return (torch.xlogy(true, true) - true * log_predicted).sum(dim=1)


def sum_rule(predicted: Tensor, target: Tensor, known: Tensor) -> Tensor:
    r"""Squared relative error of the number of states in the window, (batch,).

    $$ \left( \frac{\sum_m \hat y_m}{\sum_m y_m} - 1 \right)^2 $$

    Of a phonon spectrum without normalisation the true sum is 3 modes per atom, less those outside the window.
    """
    states = _known(target, known).sum(dim=1)
    return (_known(predicted, known).sum(dim=1) / states - 1).square()


SPECTRUM_LOSSES: Mapping[str, SpectrumLoss] = MappingProxyType(
    {"rmse": rmse, "mse": mse, "mae": mae, "wasserstein": wasserstein, "kl": kl_divergence}
)
"""The spectrum losses by their names in params.yaml."""


def _known(values: Tensor, known: Tensor) -> Tensor:
    """Zero in the bins that are not known, where the prediction is free and has no gradient."""
    return values.masked_fill(~known, 0)


def _shares(spectrum: Tensor, known: Tensor) -> Tensor:
    """Each bin's share of the weight in the known bins, (batch, n_bins); negative values count as zero."""
    weights = _known(spectrum, known).clamp(min=0)
    return weights / weights.sum(dim=1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
