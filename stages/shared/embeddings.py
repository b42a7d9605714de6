"""Embeddings of crystals that another model has made: written by `embed`, read by every stage with a graph tower."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.shared.errors import StageError
from stages.shared.params import EncoderParams
from stages.shared.tables import read_table

EMBEDDINGS = "embeddings.parquet"
"""Name of the table inside the data folder."""
EMBEDDINGS_REJECTED = "embeddings_rejected.csv"
"""Name of the list of crystals without an embedding inside the data folder."""


def read_embeddings(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return the embedding of each crystal, (embedding_dim,), by material_id; the arrays are views of one column."""
    table = read_table(path)
    if table.num_rows == 0:
        return {}
    values = table.column("embedding").combine_chunks().flatten().to_numpy()
    return dict(zip(table.column("material_id").to_pylist(), values.reshape(table.num_rows, -1), strict=True))


def embedding_width(data: Path, encoder: EncoderParams) -> int:
    """Return the length of the embeddings that the graph tower reads, 0 for a tower that reads none.

    Args:
        data: the pipeline's data folder.
        encoder: the graph tower.

    Raises:
        StageError: the tower needs embeddings and not a single crystal has one.
    """
    if encoder.name != "precomputed":
        return 0
    embeddings = read_embeddings(data / EMBEDDINGS)
    if not embeddings:
        raise StageError(
            f"encoder.name is precomputed, but no crystal has an embedding; {data / EMBEDDINGS_REJECTED} says why"
        )
    return len(next(iter(embeddings.values())))
