"""What a model must beat: the mean of the train split, and a forest that sees the composition only.

The forest is the usual composition-only reference: it cannot tell polymorphs apart, so what a model is
better by is what it draws from the structure or the text.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

N_ELEMENTS = 118


def mean_baseline(train: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Predict the mean of the train split for every crystal.

    Args:
        train: (n_train,) values or (n_train, n_bins) spectra.
        n: number of predictions.

    Returns:
        (n,) or (n, n_bins); all NaN where the train split is empty.
    """
    mean = train.mean(axis=0) if len(train) else np.full(train.shape[1:], np.nan)
    return np.tile(mean, (n, *[1] * (train.ndim - 1)))


def element_fractions(formulas: Sequence[str]) -> NDArray[np.float64]:
    """Return the atomic fraction of each element, (n, 118); column Z − 1 belongs to atomic number Z.

    Args:
        formulas: chemical formulas that pymatgen's `Composition` reads, for example `CaTiO3`.
    """
    from pymatgen.core import Composition

    fractions = np.zeros((len(formulas), N_ELEMENTS))
    for row, formula in enumerate(formulas):
        for element, fraction in Composition(formula).fractional_composition.items():
            # Deuterium and tritium have atomic number 1 and count as hydrogen.
            fractions[row, element.Z - 1] += fraction
    return fractions


def composition_forest(
    train_fractions: NDArray[np.float64],
    train: NDArray[np.float64],
    fractions: NDArray[np.float64],
    n_trees: int,
    seed: int,
    n_jobs: int = -1,
) -> NDArray[np.float64]:
    """Predict with a random forest on element fractions, fitted on the train split.

    Breiman, *Random Forests*, Machine Learning 45, 5 (2001), doi:10.1023/A:1010933404324.

    Args:
        train_fractions: (n_train, 118).
        train: (n_train,) values or (n_train, n_bins) spectra, all bins fitted together.
        fractions: (n, 118) of the crystals to predict.
        n_trees: number of trees.
        seed: of the bootstrap samples and the splits.
        n_jobs: threads that fit the trees, −1 for one per core; the prediction does not depend on it.

    Returns:
        (n,) or (n, n_bins); all NaN where the train split is empty.
    """
    from sklearn.ensemble import RandomForestRegressor

    if len(train) == 0 or len(fractions) == 0:
        return np.full((len(fractions), *train.shape[1:]), np.nan)
    forest = RandomForestRegressor(n_estimators=n_trees, random_state=seed, n_jobs=n_jobs)
    forest.fit(train_fractions, train)
    # Threads would add the trees up in the order in which they finish, and the last bits would differ.
    forest.n_jobs = 1
    prediction: NDArray[np.float64] = forest.predict(fractions)
    return prediction.reshape(len(fractions), *train.shape[1:])
