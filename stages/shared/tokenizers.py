"""Texts as what a text tower takes: words of bytes, or the tokens of a Hugging Face model."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from models.text.huggingface import HuggingFaceTokens, Tokens
from models.text.tokens import TextTokens, encode_text, stack
from stages.shared.params import TextEncoderParams
from stages.shared.pretrained_text import load_tokenizer


class TextTokenizer(Protocol):
    """Cuts texts once and puts batches together later; encoded pieces of a text may be joined (`join`).

    Attributes:
        max_words: tokens the tower reads of a text.
    """

    max_words: int

    def encode(self, text: str) -> NDArray[Any]:
        """Return a text as integers, (n_tokens, ...); at most as many tokens as the tower reads."""

    def stack(self, encoded: Sequence[NDArray[Any]]) -> Tokens:
        """Return a batch, padded to its longest text."""


class ByteTokenizer:
    """Words of bytes for `ByteTransformer`.

    Args:
        max_words: words read of a text.
        max_bytes: bytes of a word.
    """

    def __init__(self, max_words: int, max_bytes: int) -> None:
        self.max_words = max_words
        self.max_bytes = max_bytes

    def encode(self, text: str) -> NDArray[Any]:
        """Return (n_words, max_bytes); see `models.text.tokens.encode_text`."""
        return encode_text(text, self.max_words, self.max_bytes)

    def stack(self, encoded: Sequence[NDArray[Any]]) -> TextTokens:
        """Return a batch, padded to its longest text."""
        return stack(encoded)


class HuggingFaceTokenizer:
    """Token ids for `HuggingFaceEncoder`, with the special tokens the model expects around each text.

    Args:
        model: folder or hub name of the model.
        revision: commit of the hub model; None for a folder.
        max_words: tokens read of a text, special ones not counted.

    Raises:
        StageError: there is no such model within reach.
    """

    def __init__(self, model: str, revision: str | None, max_words: int) -> None:
        self.max_words = max_words
        self._tokenizer = load_tokenizer(model, revision)

    def encode(self, text: str) -> NDArray[Any]:
        """Return (n_tokens,) ids without special tokens."""
        ids = self._tokenizer(text, add_special_tokens=False, truncation=True, max_length=self.max_words)["input_ids"]
        return np.array(ids, dtype=np.int32)

    def stack(self, encoded: Sequence[NDArray[Any]]) -> HuggingFaceTokens:
        """Return a batch, padded on the right to its longest text; an empty text has no real token."""
        rows = [self._with_special_tokens(ids) if len(ids) else [] for ids in encoded]
        longest = max(1, *(len(row) for row in rows))
        padding = self._tokenizer.pad_token_id or 0
        input_ids = torch.tensor([row + [padding] * (longest - len(row)) for row in rows])
        attention_mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
        return HuggingFaceTokens(input_ids, attention_mask)

    def _with_special_tokens(self, ids: NDArray[Any]) -> list[int]:
        before, after = self._tokenizer.cls_token_id, self._tokenizer.sep_token_id
        return [*([before] if before is not None else []), *ids.tolist(), *([after] if after is not None else [])]


def join(pieces: Sequence[NDArray[Any]], max_words: int) -> NDArray[Any]:
    """Return encoded pieces as one text, cut to the tokens the tower reads, (n_tokens, ...)."""
    return np.concatenate(pieces)[:max_words]


def build_tokenizer(params: TextEncoderParams) -> TextTokenizer:
    """Return the tokenizer that belongs to the text tower of the `text_encoder` section."""
    if params.name == "huggingface":
        return HuggingFaceTokenizer(params.model, params.revision, params.max_words)
    return ByteTokenizer(params.max_words, params.max_bytes)
