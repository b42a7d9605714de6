"""Embeddings that somebody else has made, from the files of one folder."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stages.embed.embedder import CrystalEntry, NoEmbedding
from stages.shared.errors import StageError
from stages.shared.schemas import EMBEDDINGS_SCHEMA

_COLUMNS = list(EMBEDDINGS_SCHEMA.names)


class FileEmbedder:
    """Embeddings looked up by material_id.

    Every `.parquet` file of the folder has the columns `material_id` and `embedding` (a list of numbers); every
    `<material_id>.npy` is one array of shape (embedding_dim,).

    Args:
        directory: the folder; its subfolders are not read.

    Raises:
        StageError: the folder is missing or holds no such file, or a parquet file has other columns.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._rows: dict[str, NDArray[np.float32]] = {}
        self._sources: dict[str, list[str]] = defaultdict(list)
        tables = sorted(directory.glob("*.parquet"))
        arrays = sorted(directory.glob("*.npy"))
        if not tables and not arrays:
            raise StageError(
                f"encoder.precomputed.model is files, but {directory} holds no .parquet and no .npy file; "
                "data/precomputed/README.md says what to put there"
            )
        for path in tables:
            for material_id, embedding in _read_parquet(path):
                self._rows[material_id] = embedding
                self._sources[material_id].append(path.name)
        for path in arrays:
            self._sources[path.stem].append(path.name)

    @property
    def material_ids(self) -> set[str]:
        """The crystals the files speak of."""
        return set(self._sources)

    def embed(self, crystal: CrystalEntry) -> NDArray[np.float32]:
        """Return the embedding of one crystal, (embedding_dim,).

        Raises:
            NoEmbedding: no file has this crystal, several have, or the file is not what it should be.
        """
        sources = self._sources.get(crystal.material_id, [])
        if not sources:
            raise NoEmbedding(f"no file in {self.directory} has it")
        if len(sources) > 1:
            raise NoEmbedding(f"it is listed {len(sources)} times, in {' and '.join(sorted(set(sources)))}")
        if crystal.material_id in self._rows:
            return self._rows[crystal.material_id]
        return _read_npy(self.directory / sources[0])


def _read_parquet(path: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield material_id and embedding of every row; a missing embedding comes as one of length 0."""
    try:
        table = pq.read_table(path, columns=_COLUMNS).cast(EMBEDDINGS_SCHEMA)
    except pa.ArrowException as error:
        reason = str(error).strip().splitlines()[0]
        raise StageError(
            f"{path} must have the columns {' and '.join(_COLUMNS)}, a list of numbers ({reason})"
        ) from None
    if table.num_rows == 0:
        return
    embeddings = table.column("embedding").combine_chunks()
    ends = np.cumsum(embeddings.value_lengths().fill_null(0).to_numpy())
    rows = np.split(embeddings.flatten().to_numpy(zero_copy_only=False), ends[:-1])
    yield from zip(table.column("material_id").to_pylist(), rows, strict=True)


def _read_npy(path: Path) -> NDArray[np.float32]:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise NoEmbedding(f"{path.name} cannot be read as an array: {error}") from None
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise NoEmbedding(
            f"{path.name} has shape {array.shape} and type {array.dtype} instead of one row of real numbers; "
            "average over the atoms"
        )
    return np.asarray(array, dtype=np.float32)
