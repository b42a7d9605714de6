"""Numbers of a crystal that the model reads beside the structure, such as DFT energies."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stages.shared.errors import StageError
from stages.shared.graphs import rows_of
from stages.shared.schemas import CRYSTALS_SCHEMA
from stages.shared.tables import read_table


@dataclass(frozen=True)
class GlobalInputs:
    """The numbers of all crystals, standardised over the train split.

    Attributes:
        material_ids: (n,) strings.
        values: (n, n_columns) float32; a number that is not known is 0, the mean.
    """

    material_ids: pa.ChunkedArray
    values: NDArray[np.float32]

    def of(self, material_ids: pa.StringArray) -> NDArray[np.float32]:
        """Return the numbers of some crystals, (n_wanted, n_columns)."""
        return self.values[rows_of(material_ids, self.material_ids)]


def read_global_inputs(data: Path, columns: Sequence[str]) -> GlobalInputs:
    """Read columns of the table of crystals.

    Args:
        data: the pipeline's data folder.
        columns: names of columns that hold numbers; none gives values of shape (n, 0).

    Raises:
        StageError: a name is not that of a column of numbers.
    """
    numeric = [field.name for field in CRYSTALS_SCHEMA if pa.types.is_floating(field.type)]
    for name in columns:
        if name not in numeric:
            raise StageError(f"dos.global_inputs: {name} is no column of numbers; there are {', '.join(numeric)}")
    table = read_table(data / "crystals.parquet", ["material_id", "split", *columns])
    in_train = table["split"].to_numpy() == "train"
    raw = np.array([table[name].to_numpy() for name in columns], dtype=np.float64)
    raw = raw.reshape(len(columns), len(table))  # of no column, too
    values = [_standardised(column, in_train) for column in raw]
    return GlobalInputs(table["material_id"], np.array(values, dtype=np.float32).reshape(raw.shape).T)


def _standardised(column: NDArray[np.float64], in_train: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the column (n,) with mean 0 and standard deviation 1 over the known numbers of the train split."""
    known = column[in_train & np.isfinite(column)]
    if not len(known):
        return np.zeros_like(column)
    return np.nan_to_num((column - known.mean()) / (known.std() or 1.0))
