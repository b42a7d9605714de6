"""Several answers instead of one: how far they lie apart, and what that says about the error.

Spectra are (n_crystals, n_bins); bins that are not known count nowhere.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from torch import nn

from models.dos.attention import PlainBlock
from models.dropout import Dropout

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@contextmanager
def active_dropout(model: nn.Module) -> Iterator[None]:
    """Let dropout act in a model that is otherwise in evaluation mode, so that each call gives another answer.

    Gal and Ghahramani, *Dropout as a Bayesian Approximation*, ICML 2016, arXiv:1506.02142. Running statistics of
    BatchNorm stay as they are.
    """
    dropping = [module for module in model.modules() if isinstance(module, Dropout | PlainBlock)]
    before = [module.training for module in dropping]
    try:
        for module in dropping:
            module.training = True
        yield
    finally:
        for module, training in zip(dropping, before, strict=True):
            module.training = training


def spread(members: Array) -> Array:
    """Standard deviation over the members in each bin, (n_members, n_crystals, n_bins) to (n_crystals, n_bins).

    Lakshminarayanan, Pritzel and Blundell, *Simple and Scalable Predictive Uncertainty Estimation using Deep
    Ensembles*, NeurIPS 2017, arXiv:1612.01474, section 2.4, without the members' own variances. At least two members.
    """
    return members.std(axis=0, ddof=1)


def conformal_factor(error: Array, deviation: Array, known: Mask, level: float) -> float:
    """What deviations are to be multiplied with so that a share `level` of the errors lies within them.

    The quantile of |error| / deviation over the known bins: split conformal prediction, Angelopoulos and Bates, *A
    Gentle Introduction to Conformal Prediction*, arXiv:2107.07511, section 2.3.2. Bins of one crystal are not
    independent, so that the share holds on average over crystals and is not as sure as the number of bins suggests.

    Args:
        error: (n_crystals, n_bins), of crystals that no score is computed on; at least one known bin.
        deviation: (n_crystals, n_bins).
        known: (n_crystals, n_bins).
        level: 0 to 1.
    """
    smallest = np.finfo(float).tiny
    ratio = np.abs(error[known]) / deviation[known].clip(min=smallest)
    return float(np.quantile(ratio.clip(max=1 / smallest**0.5), level, method="higher"))


def coverage(error: Array, deviation: Array, known: Mask, n_deviations: float) -> float:
    """Share of the known bins whose error is at most `n_deviations` deviations."""
    return float((np.abs(error) <= n_deviations * deviation)[known].mean())


def sparsification(error: Array, doubt: Array) -> Array:
    """Mean error of the crystals that are left when those of most doubt are taken away, (n,).

    Ilg et al., *Uncertainty Estimates and Multi-Hypotheses Networks for Optical Flow*, ECCV 2018, arXiv:1802.07095,
    section 4.

    Args:
        error: (n,) of each crystal.
        doubt: (n,) its uncertainty; its error itself gives the best curve there can be.

    Returns:
        Entry k is the mean error without the k crystals of most doubt, the first of equals being taken first.
    """
    order = np.argsort(-doubt, kind="stable")
    left = np.cumsum(error[order][::-1])[::-1]
    return left / np.arange(len(error), 0, -1)


def sparsification_error(error: Array, doubt: Array) -> float:
    """Area between the curves of `sparsification` by doubt and by the error itself, in units of the mean error.

    Ilg et al. (see `sparsification`), AUSE; 0 is perfect.
    """
    excess = sparsification(error, doubt) - sparsification(error, error)
    return float(excess.mean() / error.mean()) if error.mean() > 0 else 0.0
