"""Scalar properties regressed from spectra: what a predicted spectrum is worth to whoever needs a number.

A regressor is fitted on the true spectra of the train split and then fed true and predicted spectra of the test split,
as Lee et al. 2023 do (arXiv:2311.12856, the table of bulk modulus, band gap and Fermi energy). What the true spectra
reach is the best that a prediction can do with this regressor.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stages.evaluate.regression import regression_scores
from stages.evaluate.spectra_metrics import Known, Spectra
from stages.shared.tables import read_table, table_schema

Numbers = NDArray[np.float64]
Metrics = dict[str, float | int | None]

PROPERTIES = {"phonon": ("bulk_modulus",), "electron": ("band_gap", "fermi_energy")}
"""What is regressed from the spectra of each kind; a column that the table of crystals lacks is left out."""

N_REGRESSORS = 5
_HIDDEN = 64
_PENALTY = 1.0  # on the squared weights
_ITERATIONS = 500


@dataclass(frozen=True)
class Property:
    """A column of the table of crystals.

    Attributes:
        unit: of the values; None where the table does not say.
        values: (n,) NaN where unknown.
    """

    unit: str | None
    values: Numbers


def read_properties(crystals: Path, kind: str, material_ids: Sequence[str]) -> dict[str, Property]:
    """Return by name those of `PROPERTIES` that the table of crystals has, for these n crystals."""
    schema = table_schema(crystals)
    names = [name for name in PROPERTIES.get(kind, ()) if name in schema.names]
    table = read_table(crystals, ["material_id", *names]).to_pandas().set_index("material_id")
    rows = table.reindex(list(material_ids))
    return {name: Property(_unit(schema.field(name)), rows[name].to_numpy(dtype=np.float64)) for name in names}


def _unit(field: pa.Field) -> str | None:
    return (field.metadata or {}).get(b"unit", b"").decode() or None


def downstream_metrics(
    values: Numbers, splits: NDArray[np.object_], spectra: Mapping[str, Spectra], known: Known, seed: int
) -> Metrics:
    """Score the property regressed from each kind of spectra on the test split.

    Bins that are not known are left out of the predictions too, so that all spectra speak of the same states.

    Args:
        values: (n,) the property, NaN where unknown.
        splits: (n,) names.
        spectra: (n, n_bins) each; `true` among them.
        known: (n, n_bins).
        seed: of the regressors' first weights.

    Returns:
        `n_train` and `n`, crystals with a known property; `<spectra>_mae`, `_rmse` and `_r2` of each kind of spectra
        and of `mean_baseline`, the mean property of the train split; null where not defined.
    """
    is_known = np.isfinite(values)
    train, test = (is_known & (splits == split) for split in ("train", "test"))
    features = {name: np.where(known, rows, 0.0) for name, rows in spectra.items()}
    metrics: Metrics = {"n_train": int(train.sum()), "n": int(test.sum())}
    of_test = {name: rows[test] for name, rows in features.items()}
    predictions = regress(features["true"][train], values[train], of_test, seed)
    predictions["mean_baseline"] = np.full(test.sum(), values[train].mean() if train.any() else np.nan)
    for name, predicted in predictions.items():
        scores = regression_scores(values[test], predicted)
        metrics |= {f"{name}_mae": scores.mae, f"{name}_rmse": scores.rmse, f"{name}_r2": scores.r2}
    return metrics


def regress(train: Spectra, values: Numbers, spectra: Mapping[str, Spectra], seed: int) -> dict[str, Numbers]:
    """Return the property of each kind of spectra, (n,) each, as the mean of `N_REGRESSORS` small networks.

    One hidden layer, fitted with L-BFGS to the standardised property; they differ in their first weights alone.

    Args:
        train: (n_train, n_bins) true spectra; without any, the result is NaN.
        values: (n_train,) their property.
        spectra: (n, n_bins) each.
        seed: of the first weights.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor
    from threadpoolctl import threadpool_limits

    if len(train) == 0 or not all(len(rows) for rows in spectra.values()):
        return {name: np.full(len(rows), np.nan) for name, rows in spectra.items()}
    mean, spread = values.mean(), values.std() or 1.0
    sums = {name: np.zeros(len(rows)) for name, rows in spectra.items()}
    # the bits of a sum depend on how many threads take part; stopping after so many iterations is meant
    with threadpool_limits(1), warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        for place in range(N_REGRESSORS):
            regressor = MLPRegressor(
                hidden_layer_sizes=(_HIDDEN,),
                solver="lbfgs",
                alpha=_PENALTY,
                max_iter=_ITERATIONS,
                random_state=seed + place,
            )
            regressor.fit(train, (values - mean) / spread)
            for name, rows in spectra.items():
                sums[name] += regressor.predict(rows)
    return {name: mean + spread * total / N_REGRESSORS for name, total in sums.items()}
