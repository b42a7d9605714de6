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


def composition_features(formulas: Sequence[str]) -> NDArray[np.float64]:
    """Return what the forest sees of a composition, (n, 170): atomic fractions and statistics of element properties.

    Without the statistics an element that is rare in the train split means nothing to the forest, and the baseline is
    too easy to beat: Ward et al., npj Comput. Mater. 2, 16028 (2016), doi:10.1038/npjcompumats.2016.28.

    Args:
        formulas: chemical formulas that pymatgen's `Composition` reads, for example `CaTiO3`.
    """
    import torch

    from models.crystal_descriptors import composition_statistics

    fractions = element_fractions(formulas)
    composition = torch.from_numpy(np.pad(fractions, ((0, 0), (1, 0))))  # column Z is element Z
    return np.concatenate([fractions, composition_statistics(composition).numpy()], axis=1)


def composition_forest(
    train_features: NDArray[np.float64],
    train: NDArray[np.float64],
    features: NDArray[np.float64],
    n_trees: int,
    seed: int,
    n_jobs: int = -1,
) -> NDArray[np.float64]:
    """Predict with a random forest on `composition_features`, fitted on the train split.

    Breiman, *Random Forests*, Machine Learning 45, 5 (2001), doi:10.1023/A:1010933404324.

    Args:
        train_features: (n_train, n_features).
        train: (n_train,) values or (n_train, n_bins) spectra, all bins fitted together.
        features: (n, n_features) of the crystals to predict.
        n_trees: number of trees.
        seed: of the bootstrap samples and the splits.
        n_jobs: threads that fit the trees, −1 for one per core; the prediction does not depend on it.

    Returns:
        (n,) or (n, n_bins); all NaN where the train split is empty.
    """
    from sklearn.ensemble import RandomForestRegressor

    if len(train) == 0 or len(features) == 0:
        return np.full((len(features), *train.shape[1:]), np.nan)
    forest = RandomForestRegressor(n_estimators=n_trees, random_state=seed, n_jobs=n_jobs)
    forest.fit(train_features, train)
    # Threads would add the trees up in the order in which they finish, and the last bits would differ.
    forest.n_jobs = 1
    prediction: NDArray[np.float64] = forest.predict(features)
    return prediction.reshape(len(features), *train.shape[1:])
