"""Text as words of bytes: no vocabulary, so every number, formula and symbol is read by its characters."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

N_BYTES = 257  # byte value + 1, and 0 for padding
_BYTES_IN_A_KEY = 7  # N_BYTES ** 7 < 2 ** 63

# runs of letters | at most three digits | any other single sign
_WORD = re.compile(r"[^\W\d_]+|\d{1,3}|[^\w\s]|_")


@dataclass
class TextTokens:
    """Texts cut into words, words into bytes.

    Attributes:
        bytes: (B, L, W) int64, byte value + 1, 0 = padding.
        mask: (B, L) True at real words. An empty text has none.
    """

    bytes: Tensor
    mask: Tensor

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "TextTokens":
        """Return the tokens on another device."""
        return TextTokens(
            self.bytes.to(device, non_blocking=non_blocking),
            self.mask.to(device, non_blocking=non_blocking),
        )

    def only(self, keep: Tensor) -> "TextTokens":
        """Return the texts with those empty that are not kept, (B,) bool."""
        return TextTokens(self.bytes, self.mask & keep[:, None])


def distinct_words(words: Tensor) -> tuple[Tensor, Tensor]:
    """Return what `torch.unique(words, dim=0, return_inverse=True)` does, many times faster.

    Args:
        words: (n, W) int64, at least one word; byte value + 1, 0 = padding.

    Returns:
        The distinct words (n_distinct, W) in lexicographic order, and the place (n,) of each word among them.
    """
    keys = []  # seven bytes and paddings are one integer
    for part in words.split(_BYTES_IN_A_KEY, dim=1):
        powers = N_BYTES ** torch.arange(part.shape[1] - 1, -1, -1, device=words.device)
        keys.append((part * powers).sum(dim=1))
    order = torch.arange(len(words), device=words.device)
    for key in reversed(keys):  # the last sort has the first word
        order = order[key[order].argsort(stable=True)]
    is_first = torch.ones_like(order, dtype=torch.bool)
    is_first[1:] = torch.stack([key[order].diff() != 0 for key in keys]).any(dim=0)
    place = torch.empty_like(order)
    place[order] = is_first.cumsum(0) - 1
    return words[order[is_first]], place


@dataclass(frozen=True)
class TextFeatures:
    """What a text encoder says about a batch of texts.

    Attributes:
        tokens: (B, L, d) one vector per word; the rows of padding mean nothing.
        mask: (B, L) True at real words.
        pooled: (B, d) one vector per text, the mean over its real words; zero for an empty text.
    """

    tokens: Tensor
    mask: Tensor
    pooled: Tensor


class TextEncoder(nn.Module):
    """A network from texts to features that serves pretraining and fusion alike.

    `forward(tokens) -> TextFeatures`, where each encoder takes its own kind of tokens. Features of a text do not
    depend on its padding nor on what else is in the batch.

    Attributes:
        dim: d, the number of features.
    """

    dim: int


def encode_text(text: str, max_words: int, max_bytes: int) -> NDArray[np.uint8]:
    """Cut one text into words and each word into its UTF-8 bytes.

    A word is a run of letters ("CdAgSb", "Ångström"), a run of at most three digits, or one other sign; white space
    is dropped. "1.925 Å" gives "1", ".", "925", "Å". A word longer than `max_bytes` goes on in the next row, so that
    nothing of it is lost.

    Args:
        text: any Unicode text.
        max_words: rows beyond this many are cut off.
        max_bytes: W, bytes in a row.

    Returns:
        (n_words, W) byte value + 1, 0 = padding; (0, W) for a text without any word. No byte of UTF-8 exceeds 244.
    """
    # every row takes at least one byte of a word, so further words could not matter
    words = [word.encode("utf-8", "replace") for word in _WORD.findall(text)[:max_words]]
    lengths = np.fromiter(map(len, words), dtype=np.int64, count=len(words))
    n_rows = -(-lengths // max_bytes)  # rows a word takes
    first_row = np.cumsum(n_rows) - n_rows
    first_byte = np.cumsum(lengths) - lengths
    position = np.arange(lengths.sum()) - np.repeat(first_byte, lengths)  # of a byte in its word
    row = np.repeat(first_row, lengths) + position // max_bytes
    rows = np.zeros((int(n_rows.sum()), max_bytes), dtype=np.uint8)
    rows[row, position % max_bytes] = np.frombuffer(b"".join(words), dtype=np.uint8) + np.uint8(1)
    return rows[:max_words]


def stack(encoded: Sequence[NDArray[np.uint8]]) -> TextTokens:
    """Pad encoded texts to the longest of the batch.

    Args:
        encoded: arrays of `encode_text`, (n_words, W) with one common W.

    Returns:
        Tokens with L = the most words of any text, at least 1.
    """
    n_words = torch.tensor([len(rows) for rows in encoded])
    longest = max(1, *(len(rows) for rows in encoded))
    padded = np.zeros((len(encoded), longest, encoded[0].shape[1]), dtype=np.int64)
    for i, rows in enumerate(encoded):
        padded[i, : len(rows)] = rows
    return TextTokens(torch.from_numpy(padded), torch.arange(longest) < n_words[:, None])
