"""Embeddings of crystals that another model has made: written by `embed`, read by every stage with a graph tower."""

from pathlib import Path

from stages.shared.errors import StageError
from stages.shared.params import EncoderParams
from stages.shared.tables import iterate_rows

EMBEDDINGS = "embeddings.parquet"
"""Name of the table inside the data folder."""
EMBEDDINGS_REJECTED = "embeddings_rejected.csv"
"""Name of the list of crystals without an embedding inside the data folder."""


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
    first = next(iterate_rows(data / EMBEDDINGS, ["embedding"]), None)
    if first is None:
        raise StageError(
            f"encoder.name is precomputed, but no crystal has an embedding; {data / EMBEDDINGS_REJECTED} says why"
        )
    return len(first["embedding"])
