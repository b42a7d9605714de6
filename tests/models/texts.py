"""Texts as batches of byte words."""

from collections.abc import Sequence

from models.text.tokens import TextTokens, encode_text, stack


def tokenize(texts: Sequence[str], max_words: int, max_bytes: int) -> TextTokens:
    """Encode texts and pad them to the longest."""
    return stack([encode_text(text, max_words, max_bytes) for text in texts])
