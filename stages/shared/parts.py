"""Many rows taken a few at a time, which bounds the memory that they need at once."""

import numpy as np
from numpy.typing import NDArray


def row_parts(n_rows: int, size: int) -> list[NDArray[np.int64]]:
    """Return the rows 0 to n_rows - 1 in order, in parts of `size`, of which the last may be smaller."""
    return [np.arange(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]
