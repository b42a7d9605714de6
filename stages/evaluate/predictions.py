"""Prediction tables joined with what the baselines need to know of each crystal."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from stages.evaluate.baselines import composition_features, composition_forest, mean_baseline
from stages.shared.errors import StageError
from stages.shared.parallel import worker_count
from stages.shared.params import EvaluateParams
from stages.shared.tables import read_table

if TYPE_CHECKING:
    import pandas as pd

Setting = TypeVar("Setting")

SCORED_SPLITS = ("val", "test")


def setting_from_command_line(settings: Mapping[str, Setting], what: str) -> tuple[str, Setting]:
    """Return the name given as the only argument, and its setting.

    Args:
        settings: the section of params.yaml that names what there is.
        what: the kind of name, for example `target`.

    Raises:
        StageError: there is no argument, more than one, or an unknown one.
    """
    known = ", ".join(settings)
    if len(sys.argv) != 2:
        raise StageError(f"give one {what}: {known}")
    name = sys.argv[1]
    if name not in settings:
        raise StageError(f"'{name}' is not a {what} in params.yaml; it has: {known}")
    return name, settings[name]


def load_predictions(path: Path, crystals_path: Path) -> "pd.DataFrame":
    """Read a prediction table with the formula and the crystal system of each crystal, sorted by material_id.

    Raises:
        StageError: a predicted crystal is not in the table of crystals.
    """
    predictions = read_table(path).to_pandas()
    crystals = read_table(crystals_path, ["material_id", "formula", "crystal_system"]).to_pandas()
    joined = predictions.merge(crystals, on="material_id", how="left", validate="one_to_one")
    unknown = joined.loc[joined["formula"].isna(), "material_id"]
    if len(unknown):
        raise StageError(
            f"{path} predicts {len(unknown)} crystals that {crystals_path} does not hold, "
            f"for example {unknown.iloc[0]}; run `dvc repro`"
        )
    return joined.sort_values("material_id", ignore_index=True)


def as_spectra(column: "pd.Series", n_bins: int) -> NDArray[np.float64]:
    """Stack a column of spectra to (n, n_bins), also where n is 0."""
    return np.array(column.tolist(), dtype=np.float64).reshape(len(column), n_bins)


def baseline_predictions(
    formulas: "pd.Series", true: NDArray[np.float64], is_train: NDArray[np.bool_], params: EvaluateParams
) -> dict[str, NDArray[np.float64]]:
    """Predict every crystal with both baselines, fitted on the rows of the train split.

    Args:
        formulas: (n,) chemical formulas.
        true: (n,) values or (n, n_bins) spectra.
        is_train: (n,) True for rows of the train split.
        params: number of trees and seed of the forest.

    Returns:
        `mean_baseline` and `composition_forest`, each of the shape of `true`.
    """
    features = composition_features(formulas.tolist())
    return {
        "mean_baseline": mean_baseline(true[is_train], len(true)),
        "composition_forest": composition_forest(
            features[is_train],
            true[is_train],
            features,
            n_trees=params.forest_trees,
            seed=params.seed,
            n_jobs=worker_count(),
        ),
    }
