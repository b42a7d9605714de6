"""What several seeds give, as one number and how far they lie apart."""

from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any


def over_seeds(score: str, values: Sequence[float | None]) -> dict[str, Any]:
    """Return a score's values with their mean, `<score>_mean`, and standard deviation of n - 1, `<score>_std`.

    Both are null where a value is.

    Args:
        score: its name.
        values: of at least two seeds.
    """
    known = [value for value in values if value is not None]
    complete = len(known) == len(values)
    return {
        score: list(values),
        f"{score}_mean": fmean(known) if complete else None,
        f"{score}_std": stdev(known) if complete else None,
    }
