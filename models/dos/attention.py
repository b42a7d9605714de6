"""Attention of energies to atoms and to each other, in two forms."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.dropout import keep_factors
from models.layers import TransformerBlock, recomputed, row_parts

_TOKENS_PER_PART = 1024


class PlainBlock(nn.Module):
    r"""Attention without maps and heads, and a feed-forward network, as the published DOSTransformer has them.

    $$ q \leftarrow q + \mathrm{softmax}\!\left( \frac{\mathrm{LN}(q)\, \mathrm{LN}(s)^\top}{\sqrt d} \right)
       \mathrm{LN}(s), \qquad q \leftarrow q + W_2\, \mathrm{ReLU}(W_1\, \mathrm{LN}'(q)) $$

    Queries, keys and values share one norm. Lee et al. 2023 (see `DosTransformer`), published code.

    Args:
        dim: d.
        dropout: probability that training drops an attention weight.
    """

    def __init__(self, dim: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout
        self.norm = nn.LayerNorm(dim)
        self.feed_forward_norm = nn.LayerNorm(dim)
        self.expand = nn.Linear(dim, 4 * dim)
        self.contract = nn.Linear(4 * dim, dim)
        for linear in (self.expand, self.contract):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, x: Tensor, keys: Tensor | None = None, key_mask: Tensor | None = None) -> Tensor:
        """Return the new states (B, L, d).

        Args:
            x: (B, L, d).
            keys: (B, S, d), the source s; None: the states themselves.
            key_mask: (B, S) True at real keys; None: all are real.
        """

        def attend_and_feed(x: Tensor, keys: Tensor | None, key_mask: Tensor | None) -> Tensor:
            x = x + self._attend(*self._normed(x, keys), key_mask)
            hidden: Tensor = self.contract(F.relu_(self.expand(self.feed_forward_norm(x))))
            return x + hidden

        crystals_per_part = max(1, _TOKENS_PER_PART // x.shape[1])
        keys = None if keys is x else keys
        parts = row_parts(x, keys, key_mask, rows_per_part=crystals_per_part)
        return torch.cat([recomputed(attend_and_feed, *part, random=self._drops) for part in parts])

    def attention_weights(self, x: Tensor, keys: Tensor | None = None, key_mask: Tensor | None = None) -> Tensor:
        """Attention weights (B, 1, L, S) on the same input as `forward`."""
        return self._weights(*self._normed(x, keys), key_mask)[:, None]

    @property
    def _drops(self) -> bool:
        return self.training and self.dropout > 0

    def _attend(self, queries: Tensor, sources: Tensor, key_mask: Tensor | None) -> Tensor:
        """What each query gathers, (B, L, d), from queries (B, L, d) and sources (B, S, d)."""
        if self._drops:
            weights = self._weights(queries, sources, key_mask)
            return (weights * keep_factors(weights, self.dropout)) @ sources
        mask = None if key_mask is None else key_mask[:, None, None]
        heads = (queries[:, None], sources[:, None], sources[:, None])  # one head
        return F.scaled_dot_product_attention(*heads, mask).squeeze(1)

    def _weights(self, queries: Tensor, sources: Tensor, key_mask: Tensor | None) -> Tensor:
        """Attention weights (B, L, S)."""
        logits = queries @ sources.transpose(1, 2) / queries.shape[-1] ** 0.5
        if key_mask is not None:
            logits = logits.masked_fill(~key_mask[:, None], -torch.inf)
        return logits.softmax(dim=-1)

    def _normed(self, x: Tensor, keys: Tensor | None) -> tuple[Tensor, Tensor]:
        queries = self.norm(x)
        return queries, queries if keys is None else self.norm(keys)


class AttentionStack(nn.Module):
    """Blocks one after the other and a norm: T1, T2 or T3 of the paper.

    Self-attention of projected blocks is to the states as they are; of plain blocks, as published, to the states that
    came into the stack.

    Args:
        dim: d.
        n_layers: blocks.
        attention: "projected": `TransformerBlock`, heads with maps of queries, keys and values; "plain": `PlainBlock`.
        n_heads: heads of projected attention.
        dropout: probability inside the blocks.
        cross: True where the keys come from elsewhere, the atoms.

    Raises:
        ValueError: unknown attention.
    """

    def __init__(self, dim: int, n_layers: int, attention: str, n_heads: int, dropout: float, cross: bool) -> None:
        super().__init__()
        if attention not in ("projected", "plain"):
            raise ValueError(f"attention is {attention!r}, expected 'projected' or 'plain'")
        self.plain = attention == "plain"
        self.blocks = nn.ModuleList(
            PlainBlock(dim, dropout) if self.plain else TransformerBlock(dim, n_heads, dropout, cross)
            for _ in range(n_layers)
        )
        self.norm = nn.LayerNorm(dim)

    def forward(self, states: Tensor, keys: Tensor | None = None, key_mask: Tensor | None = None) -> Tensor:
        """Return the new states (B, L, d).

        Args:
            states: (B, L, d).
            keys: (B, S, d) for a stack built with `cross=True`; None for self-attention.
            key_mask: (B, S) True at real keys.
        """
        source = self._source(states, keys)
        for block in self._blocks():
            states = block(states, source, key_mask)
        normed: Tensor = self.norm(states)
        return normed

    def attention_weights(
        self, states: Tensor, keys: Tensor | None = None, key_mask: Tensor | None = None
    ) -> list[Tensor]:
        """Attention weights of each block, (B, H, L, S) each, on the same input as `forward`."""
        source, weights = self._source(states, keys), []
        for block in self._blocks():
            weights.append(block.attention_weights(states, source, key_mask))
            states = block(states, source, key_mask)
        return weights

    def _blocks(self) -> list[PlainBlock | TransformerBlock]:
        return [block for block in self.blocks if isinstance(block, PlainBlock | TransformerBlock)]

    def _source(self, states: Tensor, keys: Tensor | None) -> Tensor | None:
        return states if keys is None and self.plain else keys
