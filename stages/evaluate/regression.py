"""Scores of a scalar prediction: mean absolute error, root mean square error and R²."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RegressionScores:
    """How far predictions are from the truth; `None` where a score is not defined.

    Args:
        n: number of crystals scored.
        mae: mean absolute error, in the unit of the target.
        rmse: root mean square error, in the unit of the target.
        r2: coefficient of determination, dimensionless; 1 is perfect, 0 as good as the mean of the
            truth, negative worse. Not defined for fewer than two crystals or a constant truth.
    """

    n: int
    mae: float | None
    rmse: float | None
    r2: float | None


def finite_or_none(value: float) -> float | None:
    """Return the number as a float, or `None` (null in JSON) where it is NaN or infinite."""
    return float(value) if math.isfinite(value) else None


def ratio(numerator: float | None, denominator: float | None) -> float | None:
    """Return the quotient of two scores, `None` where one is not defined or the divisor is 0."""
    if numerator is None or not denominator:
        return None
    return numerator / denominator


def regression_scores(true: NDArray[np.float64], predicted: NDArray[np.float64]) -> RegressionScores:
    """Return the scores of predictions of one scalar property.

    A NaN among the predictions makes every score undefined: leaving it out would flatter the model.

    Args:
        true: (n,) finite.
        predicted: (n,) same unit.
    """
    if len(true) == 0:
        return RegressionScores(0, None, None, None)
    error = predicted - true
    squared_deviation = np.square(true - true.mean()).sum()
    r2 = 1.0 - np.square(error).sum() / squared_deviation if squared_deviation > 0 else math.nan
    return RegressionScores(
        n=len(true),
        mae=finite_or_none(np.abs(error).mean()),
        rmse=finite_or_none(np.sqrt(np.square(error).mean())),
        r2=finite_or_none(r2),
    )
