"""The surrogate of a campaign: one Gaussian process for each property, fitted to what is labelled so far."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from models.acquisition import Window, choose_batch, log_quality
from models.gaussian_process import GaussianProcess, Posterior
from stages.active.candidates import Candidates
from stages.shared.params import ActiveParams
from stages.shared.training import seed_of


def fit(
    candidates: Candidates, name: str, labelled: NDArray[np.int64], wanted: NDArray[np.int64], params: ActiveParams
) -> Posterior:
    """Return what the labels of one property tell of some crystals.

    Args:
        candidates: all crystals.
        name: of the property.
        labelled: places whose value is known; of more than `max_labels` a random choice is fitted.
        wanted: places to predict.
        params: the `active` section.
    """
    if len(labelled) > params.max_labels:
        random = np.random.RandomState(seed_of(params.seed, 0, f"labels of {name}"))
        labelled = np.sort(random.choice(labelled, params.max_labels, replace=False))
    points = candidates.descriptors
    process = GaussianProcess(points[labelled], candidates.properties[name][labelled])
    return process.posterior(points[wanted])


def choose(
    candidates: Candidates,
    windows: Mapping[str, Window],
    labelled: Mapping[str, NDArray[np.int64]],
    free: NDArray[np.int64],
    acquisition: str,
    size: int,
    params: ActiveParams,
) -> tuple[list[int], dict[str, Posterior]]:
    """Return which of the free crystals to label next, as places in `free`, and what was known of all of these.

    Args:
        candidates: all crystals.
        windows: of each property.
        labelled: of each property the places whose value is known.
        free: places that may be chosen.
        acquisition: the name of one.
        size: number wanted.
        params: the `active` section.
    """
    posteriors = {name: fit(candidates, name, labelled[name], free, params) for name in windows}
    quality = log_quality(posteriors, windows, acquisition, params.kappa)
    return choose_batch(posteriors, quality, range(len(free)), size, params.diversity), posteriors
