"""A transformer over words that are read byte by byte."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.dropout import Dropout
from models.layers import TransformerBlock, masked_mean
from models.text.tokens import N_BYTES, TextEncoder, TextFeatures, TextTokens, distinct_words

_TEXTS_PER_PART = 8
_WORDS_PER_PART = 96


class ByteWordEmbedding(nn.Module):
    r"""Word vectors from the bytes of a word: convolutions of several widths, each followed by a maximum.

    $$ f^k_p = \tanh(\langle C_{p:p+w-1}, H^k \rangle + b_k), \qquad y^k = \max_p f^k_p $$

    Kim, Jernite, Sontag, Rush, *Character-Aware Neural Language Models*, AAAI 2016, arXiv:1508.06615, equations 5
    and 6, on UTF-8 bytes with a learned position added to each; GELU in place of tanh and a linear map in place of the
    highway layer. There is no vocabulary: "0.925" and "CdAgSb" are read by their digits and symbols.

    Args:
        dim: features of a word.
        max_bytes: longest row of bytes.
        byte_dim: features of a byte.
        widths: widths of the convolutions, in bytes.
    """

    def __init__(self, dim: int, max_bytes: int, byte_dim: int, widths: tuple[int, ...] = (2, 3, 4)) -> None:
        super().__init__()
        self.byte_table = nn.Embedding(N_BYTES, byte_dim, padding_idx=0)
        self.byte_position = nn.Parameter(0.02 * torch.randn(max_bytes, byte_dim))
        self.widths = widths
        self.convolutions = nn.ModuleList(nn.Linear(width * byte_dim, dim) for width in widths)
        self.output = nn.Linear(len(widths) * dim, dim)

    def forward(self, words: Tensor) -> Tensor:
        """Return vectors (n_words, dim) of words (n_words, W) int64; a word has at least one byte, W <= max_bytes.

        Most words are short, so a processor takes words of like length together and reads no more than there is.
        """
        length = (words > 0).sum(dim=1)  # (n_words,)
        parts = length.argsort(stable=True).split(_WORDS_PER_PART if words.is_cpu else max(len(words), 1))
        maxima = [self._maxima(words[part, : int(length[part].max())], length[part]) for part in parts]
        return self.output(F.gelu(torch.cat(maxima)))[torch.cat(parts).argsort()]

    def _maxima(self, words: Tensor, length: Tensor) -> Tensor:
        """Return the maxima over the windows of each width, (n_words, n_widths * dim)."""
        embedded = self.byte_table(words) + self.byte_position[: words.shape[1]]
        embedded = embedded * (words > 0)[..., None]  # (n_words, W, byte_dim)
        maxima = []
        for width, convolution in zip(self.widths, self.convolutions, strict=True):
            padded = F.pad(embedded, (0, 0, width - 1, width - 1))
            windows = padded.unfold(1, width, 1)  # (n_words, W + width - 1, byte_dim, width)
            response = convolution(windows.transpose(2, 3).flatten(2))  # (n_words, W + width - 1, dim)
            window = torch.arange(response.shape[1], device=words.device)
            # windows that hold at least one byte of the word, so that padding cannot win the maximum
            inside = window < length[:, None] + width - 1
            maxima.append(response.masked_fill(~inside[..., None], -torch.inf).amax(dim=1))
        return torch.cat(maxima, dim=-1)


class ByteTransformer(TextEncoder):
    """Pre-norm transformer over byte-composed words with a mean over the real ones.

    Vaswani et al. 2017, arXiv:1706.03762, with the sinusoidal positions of section 3.5 there.

    Args:
        dim: d, features of a word and of a text.
        n_layers: transformer blocks.
        n_heads: attention heads; must divide `dim`.
        max_words: longest text, in words; longer ones are refused.
        max_bytes: bytes in a row of `TextTokens`; longer rows are refused.
        byte_dim: features of a byte.
        dropout: probability, on word vectors and inside the blocks.
    """

    positions: Tensor

    def __init__(
        self,
        dim: int,
        n_layers: int,
        n_heads: int,
        max_words: int,
        max_bytes: int,
        byte_dim: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.dim = dim
        self.words = ByteWordEmbedding(dim, max_bytes, byte_dim)
        self.register_buffer("positions", sinusoidal_positions(max_words, dim), persistent=False)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(TransformerBlock(dim, n_heads, dropout) for _ in range(n_layers))
        self.norm = nn.LayerNorm(dim)

    def forward(self, tokens: TextTokens) -> TextFeatures:
        """Encode a batch of texts.

        Raises:
            ValueError: more words or bytes than the encoder was built for.
        """
        self._check_size(tokens)
        vectors = self._word_vectors(tokens)  # (B, L, d)
        vectors = self.dropout(vectors + self.positions[: vectors.shape[1]])
        states = self.norm(self._contextualise(vectors, tokens.mask))
        return TextFeatures(states, tokens.mask, masked_mean(states, tokens.mask))

    def _contextualise(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Run the transformer, (B, L, d) to (B, L, d).

        Padding changes nothing but the time, so a processor takes texts of like length together, with less of it.
        """
        n_words = mask.sum(dim=1)  # (B,)
        parts = n_words.argsort(stable=True).split(_TEXTS_PER_PART if vectors.is_cpu else max(len(mask), 1))
        order, states = torch.cat(parts), []
        for part in parts:
            longest = max(int(n_words[part].max()), 1)
            x, key_mask = vectors[part, :longest], mask[part, :longest]
            for block in self.blocks:
                x = block(x, key_mask=key_mask)
            states.append(F.pad(x, (0, 0, 0, mask.shape[1] - longest)))
        return torch.cat(states)[order.argsort()]

    def _word_vectors(self, tokens: TextTokens) -> Tensor:
        """(B, L, d), zero at padding. Each distinct word is read once, since texts repeat their words."""
        vectors = self.positions.new_zeros(*tokens.mask.shape, self.dim)
        if not tokens.mask.any():
            return vectors
        distinct, index = distinct_words(tokens.bytes[tokens.mask])
        return vectors.index_put((tokens.mask,), self.words(distinct)[index])

    def _check_size(self, tokens: TextTokens) -> None:
        limits = (len(self.positions), len(self.words.byte_position))
        size = (tokens.bytes.shape[1], tokens.bytes.shape[2])
        if size[0] > limits[0] or size[1] > limits[1]:
            raise ValueError(
                f"texts of {size[0]} words of {size[1]} bytes; "
                f"the encoder takes at most {limits[0]} words of {limits[1]} bytes"
            )


def sinusoidal_positions(n_positions: int, dim: int) -> Tensor:
    r"""Return the table (n_positions, dim) of Vaswani et al. 2017, section 3.5.

    $$ P_{p,2i} = \sin(p / 10000^{2i/d}), \qquad P_{p,2i+1} = \cos(p / 10000^{2i/d}) $$

    Args:
        n_positions: p runs from 0 to n_positions - 1.
        dim: d, even.

    Raises:
        ValueError: `dim` is odd.
    """
    if dim % 2:
        raise ValueError(f"sinusoidal positions need an even dimension, not {dim}")
    frequency = torch.exp(-math.log(10000.0) * torch.arange(0, dim, 2) / dim)
    angle = torch.arange(n_positions)[:, None] * frequency
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)
