"""Layers that more than one model uses: segment reductions, padding, work in parts, transformer blocks.

Shape letters: N atoms of the whole batch, B crystals (or texts), L words, S keys, d features.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from models.dropout import Dropout

_MOST_PARTS = 64  # so that the fixed cost of a part counts for less and less as a batch grows
_MOST_EXPLICIT_WEIGHTS = 64**2  # of one head


def segment_sum(values: Tensor, segments: Tensor, n_segments: int) -> Tensor:
    """Sum the rows of each segment.

    Args:
        values: (n, ...) rows.
        segments: (n,) int64, the segment of each row, in any order.
        n_segments: number of segments; one that no row belongs to gives zeros.

    Returns:
        (n_segments, ...) sums.
    """
    return values.new_zeros(n_segments, *values.shape[1:]).index_add_(0, segments, values)


def segment_mean(values: Tensor, segments: Tensor, n_segments: int) -> Tensor:
    """Average the rows of each segment; an empty segment gives zeros. Shapes as in `segment_sum`."""
    counts = torch.bincount(segments, minlength=n_segments).clamp_min(1)  # (n_segments,)
    sums = segment_sum(values, segments, n_segments)
    return sums / counts.view(-1, *[1] * (values.dim() - 1)).to(values.dtype)


def to_dense(nodes: Tensor, batch: Tensor, n_crystals: int) -> tuple[Tensor, Tensor]:
    """Lay the atoms of each crystal in a row of their own, padded with zeros to the longest.

    Args:
        nodes: (N, d) atom features.
        batch: (N,) int64 crystal of each atom, sorted.
        n_crystals: B.

    Returns:
        `dense` (B, n_max, d) and `mask` (B, n_max), True at atoms; `n_max` is at least 1.
    """
    counts = torch.bincount(batch, minlength=n_crystals)  # (B,)
    n_max = max(int(counts.max()), 1) if n_crystals else 1
    first = counts.cumsum(0) - counts  # (B,) index of each crystal's first atom
    column = torch.arange(len(batch), device=batch.device) - first[batch]
    dense = nodes.new_zeros(n_crystals, n_max, nodes.shape[-1]).index_put((batch, column), nodes)
    mask = torch.arange(n_max, device=batch.device) < counts[:, None]
    return dense, mask


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Average over the entries that the mask allows; where it allows none the mean is zero.

    Args:
        values: (B, L, d).
        mask: (B, L) True at real entries.

    Returns:
        (B, d) means.
    """
    weights = mask.to(values.dtype)  # (B, L)
    sums = values.masked_fill(~mask[..., None], 0.0).sum(dim=1)
    return sums / weights.sum(dim=1, keepdim=True).clamp_min(1.0)


def row_parts(*columns: Tensor | None, rows_per_part: int) -> Iterator[tuple[Any, ...]]:
    """Yield some rows of all columns at a time.

    Args:
        columns: tensors of n rows each, at least one; None is handed on as None.
        rows_per_part: rows at a time; more where there would be more than 64 parts.
    """
    n_rows = max(len(column) for column in columns if column is not None)
    size = max(rows_per_part, -(-n_rows // _MOST_PARTS))
    n_parts = max(1, -(-n_rows // size))
    return zip(*([None] * n_parts if column is None else column.split(size) for column in columns), strict=True)


def recomputed(function: Callable[..., Tensor], *inputs: Any, random: bool = False) -> Tensor:
    """Apply a function, and let the backward pass compute its inside again, so that none of it stays in memory.

    Args:
        function: of the inputs to a tensor.
        inputs: tensors, or whatever else the function takes.
        random: whether the function draws random numbers, which it then draws again.
    """
    result: Tensor = checkpoint(function, *inputs, use_reentrant=False, preserve_rng_state=random)
    return result


class MLP(nn.Sequential):
    """Two linear layers with a SiLU between them: Linear(in, hidden), SiLU, dropout, Linear(hidden, out)."""

    def __init__(self, in_dim: int, hidden_dim: int, out_dim: int, dropout: float = 0.0) -> None:
        super().__init__(
            nn.Linear(in_dim, hidden_dim),
            nn.SiLU(),
            Dropout(dropout),
            nn.Linear(hidden_dim, out_dim),
        )


class MultiHeadAttention(nn.Module):
    r"""Scaled dot-product attention with several heads and a mask over the keys.

    $$ \mathrm{head}_h = \mathrm{softmax}\!\left( Q_h K_h^\top / \sqrt{d_h} \right) V_h $$

    Vaswani et al., *Attention Is All You Need*, NeurIPS 2017, arXiv:1706.03762, equation 1 and section 3.2.2.
    A padded key gets no weight at all, so the result does not depend on the padding. A query that may look at no
    key gets zero heads, hence the output bias, instead of NaN.

    Args:
        dim: d, features of queries, keys and output.
        n_heads: number of heads; must divide `dim`.

    Raises:
        ValueError: `n_heads` does not divide `dim`.
    """

    def __init__(self, dim: int, n_heads: int) -> None:
        super().__init__()
        if dim % n_heads:
            raise ValueError(f"n_heads = {n_heads} does not divide the model dimension {dim}")
        self.n_heads = n_heads
        self.query = nn.Linear(dim, dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.output = nn.Linear(dim, dim)

    def forward(self, queries: Tensor, keys: Tensor, key_mask: Tensor | None = None) -> Tensor:
        """Let every query gather values from the keys.

        Args:
            queries: (B, L, d).
            keys: (B, S, d), the source of keys and values alike.
            key_mask: (B, S) True at real keys; None: all are real.

        Returns:
            (B, L, d).
        """
        q, k, v = self._split(queries, keys)
        if key_mask is None:
            heads = _gather(q, k, v, None)
        else:
            has_key = key_mask.any(dim=1, keepdim=True)  # (B, 1)
            bias = torch.zeros_like(key_mask, dtype=q.dtype).masked_fill(has_key & ~key_mask, -torch.inf)  # (B, S)
            heads = _gather(q, k, v, bias[:, None, None]) * has_key[..., None, None]
        return self.output(heads.transpose(1, 2).flatten(2))  # (B, H, L, d/H) -> (B, L, d)

    def weights(self, queries: Tensor, keys: Tensor, key_mask: Tensor | None = None) -> Tensor:
        """Return the attention weights of every head, (B, H, L, S), for a look inside the model.

        Arguments as in `forward`. Rows add up to 1; a query without any allowed key has a row of zeros.
        """
        q, k, _ = self._split(queries, keys)
        logits = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        if key_mask is not None:
            logits = logits.masked_fill(~key_mask[:, None, None], -torch.inf)
        return logits.softmax(dim=-1).nan_to_num()

    def _split(self, queries: Tensor, keys: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (B, H, L, d/H), keys and values (B, H, S, d/H)."""
        q = self.query(queries).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
        k, v = self.key_value(keys).unflatten(-1, (2, self.n_heads, -1)).unbind(-3)
        return q, k.transpose(1, 2), v.transpose(1, 2)


def _gather(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    """Return softmax(q kᵀ / sqrt(d) + bias) v for q (B, H, L, d), k and v (B, H, S, d) and a bias (B, 1, 1, S).

    Torch's own attention never holds the weights, which is what long sequences need. A processor takes twice as long
    that way where they are short.
    """
    if not q.is_cpu or q.shape[-2] * k.shape[-2] > _MOST_EXPLICIT_WEIGHTS:
        return F.scaled_dot_product_attention(q, k, v, bias)
    logits = q @ (k * q.shape[-1] ** -0.5).transpose(-1, -2)  # (B, H, L, S)
    weights = (logits if bias is None else logits + bias).softmax(dim=-1)
    return weights @ v


class TransformerBlock(nn.Module):
    r"""Pre-norm attention and feed-forward with residuals; the keys are the queries or another sequence.

    $$ x \leftarrow x + \mathrm{MHA}(\mathrm{LN}\,x, \mathrm{LN}\,y), \qquad
       x \leftarrow x + W_2\, \mathrm{GELU}(W_1\, \mathrm{LN}\,x) $$

    Xiong et al., *On Layer Normalization in the Transformer Architecture*, ICML 2020, arXiv:2002.04745, figure 1b.

    Args:
        dim: d.
        n_heads: attention heads.
        dropout: probability, on the output of attention and feed-forward (Vaswani et al. 2017, section 5.4). Attention
            weights are not dropped, which would rule out the fast attention kernels.
        cross: True for cross-attention, where the keys come from another sequence with its own norm.
    """

    def __init__(self, dim: int, n_heads: int, dropout: float = 0.0, cross: bool = False) -> None:
        super().__init__()
        self.query_norm = nn.LayerNorm(dim)
        self.key_norm = nn.LayerNorm(dim) if cross else None
        self.attention = MultiHeadAttention(dim, n_heads)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(dim),
            nn.Linear(dim, 4 * dim),
            nn.GELU(),
            nn.Linear(4 * dim, dim),
        )
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, keys: Tensor | None = None, key_mask: Tensor | None = None) -> Tensor:
        """Return the new states (B, L, d).

        Args:
            x: (B, L, d).
            keys: (B, S, d) for a block built with `cross=True`; None for self-attention.
            key_mask: (B, S) True at real keys.
        """
        queries, normed_keys = self._normed(x, keys)
        x = x + self.dropout(self.attention(queries, normed_keys, key_mask))
        return x + self.dropout(self.feed_forward(x))

    def attention_weights(self, x: Tensor, keys: Tensor | None = None, key_mask: Tensor | None = None) -> Tensor:
        """Attention weights (B, H, L, S) of this block on the same input as `forward`."""
        return self.attention.weights(*self._normed(x, keys), key_mask)

    def _normed(self, x: Tensor, keys: Tensor | None) -> tuple[Tensor, Tensor]:
        queries = self.query_norm(x)
        if self.key_norm is None:
            return queries, queries
        if keys is None:
            raise ValueError("a cross-attention block needs keys")
        return queries, self.key_norm(keys)
