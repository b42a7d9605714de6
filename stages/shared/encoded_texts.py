"""Texts encoded once: their tokens lie in a memory-mapped file, cut into pieces that a view may pick from."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stages.shared.mapped import ROWS_PER_BATCH, MappedTable, write_arrow
from stages.shared.tokenizers import TextTokenizer


@dataclass(frozen=True)
class EncodedTexts:
    """The tokens of texts, in pieces: sentences, or the text as a whole.

    Attributes:
        table: column `tokens`, the numbers of all pieces of a text, and `n_tokens`, the tokens of each piece.
        rows: (n_texts,) row of each text in `table`.
        n_pieces: (n_texts,) of each text.
        token_shape: of one token; () for an id, (max_bytes,) for a word of bytes.
    """

    table: MappedTable
    rows: NDArray[np.int64]
    n_pieces: NDArray[np.int64]
    token_shape: tuple[int, ...]

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.rows)

    def select(self, places: NDArray[np.int64]) -> "EncodedTexts":
        """Return some of the texts in the order of `places`, which may repeat one."""
        return replace(self, rows=self.rows[places], n_pieces=self.n_pieces[places])

    def pieces(self, places: NDArray[np.int64]) -> list[list[NDArray[Any]]]:
        """Return the pieces of some texts, each as its tokenizer encoded it, (n_tokens, *token_shape).

        Args:
            places: (n,) which texts, at least one.
        """
        columns = self.table.gather(["tokens", "n_tokens"], self.rows[places])
        tokens = columns["tokens"].values.reshape(-1, *self.token_shape)  # (tokens of all pieces, ...)
        n_tokens = columns["n_tokens"].values  # (pieces of all texts,)
        pieces = iter(np.split(tokens, np.cumsum(n_tokens)[:-1]))
        return [list(itertools.islice(pieces, n_pieces)) for n_pieces in columns["n_tokens"].lengths]


def encode_texts(path: Path, texts: Iterable[Sequence[str]], tokenizer: TextTokenizer) -> EncodedTexts:
    """Encode texts into an Arrow file, unless an earlier run did, and return their tokens.

    Args:
        path: inside the run's scratch folder.
        texts: the pieces of each text; not looked at where the file exists.
        tokenizer: of the text tower.
    """
    of_no_text = tokenizer.encode("")
    schema = pa.schema(
        [
            pa.field("tokens", pa.list_(pa.from_numpy_dtype(of_no_text.dtype))),
            pa.field("n_tokens", pa.list_(pa.int32())),
        ]
    )
    table = MappedTable([write_arrow(path, schema, _encode(texts, tokenizer, schema))])
    return EncodedTexts(table, np.arange(len(table)), table.lengths("n_tokens"), of_no_text.shape[1:])


def _encode(texts: Iterable[Sequence[str]], tokenizer: TextTokenizer, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    remaining = iter(texts)
    while chunk := list(itertools.islice(remaining, ROWS_PER_BATCH)):
        encoded = [[tokenizer.encode(piece) for piece in pieces] for pieces in chunk]
        columns = {
            "tokens": [np.concatenate([piece.ravel() for piece in pieces]) for pieces in encoded],
            "n_tokens": [[len(piece) for piece in pieces] for pieces in encoded],
        }
        arrays = [pa.array(columns[field.name], type=field.type) for field in schema]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)
