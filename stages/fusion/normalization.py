"""Targets on a scale that a network learns easily."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TargetNormalization:
    r"""A shift and a scale for each target.

    $$ y' = \frac{y - \mu}{\sigma} $$

    Attributes:
        mean: μ, (n_targets,) in the unit of each target.
        scale: σ, (n_targets,) in the unit of each target.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def fit(cls, values: NDArray[np.float64], kind: str) -> "TargetNormalization":
        """Return the normalisation of these values, usually of the train split.

        Args:
            values: (n, n_targets), NaN where unknown.
            kind: `standardize` shifts by the mean and divides by the population standard deviation, `bias` does only
                the former, `scale` only the latter, `none` neither. A target with one value everywhere, or with none,
                is not divided.
        """
        known = [column[~np.isnan(column)] for column in values.T]
        shifts, divides = kind in ("standardize", "bias"), kind in ("standardize", "scale")
        mean = [float(column.mean()) if shifts and len(column) else 0.0 for column in known]
        scale = [float(column.std()) or 1.0 if divides and len(column) else 1.0 for column in known]
        return cls(np.array(mean), np.array(scale))

    def apply(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return values (n, n_targets) on the normalised scale."""
        return (values - self.mean) / self.scale
