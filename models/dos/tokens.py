"""Energy tokens: the queries of the DOS transformer."""

import math

import torch
from torch import Tensor, nn


class EnergyTokens(nn.Module):
    r"""A learned vector per bin, a smooth function of where the bin lies, or their sum.

    $$ E(\epsilon) = T(\epsilon) + W\, [\sin(\pi k\, \epsilon), \cos(\pi k\, \epsilon)]_{k = 1 \dots K},
       \qquad \epsilon_m = \frac{m}{M - 1} \in [0, 1] $$

    $T$ is a table of M vectors, linear between two bins. The table alone, as in the paper, does not tell that
    neighbouring bins are neighbours. Either part has a value between the bins, so the grid can change.

    Args:
        n_bins: M.
        dim: d.
        embedding: "both"; "table" alone, which starts at unit variance as published; or "waves" alone.
        n_frequencies: K.

    Raises:
        ValueError: unknown embedding.
    """

    positions: Tensor
    frequencies: Tensor

    def __init__(self, n_bins: int, dim: int, embedding: str = "both", n_frequencies: int = 16) -> None:
        super().__init__()
        if embedding not in ("both", "table", "waves"):
            raise ValueError(f"embedding is {embedding!r}, expected 'both', 'table' or 'waves'")
        start = 1.0 if embedding == "table" else 0.02
        self.table = None if embedding == "waves" else nn.Parameter(start * torch.randn(n_bins, dim))
        self.wave_map = None if embedding == "table" else nn.Linear(2 * n_frequencies, dim)
        self.register_buffer("positions", torch.linspace(0, 1, n_bins), persistent=False)
        self.register_buffer("frequencies", math.pi * torch.arange(1.0, n_frequencies + 1), persistent=False)

    def forward(self, positions: Tensor | None = None) -> Tensor:
        """Return the tokens (n, d).

        Args:
            positions: (n,) where on the grid, 0 is its first bin and 1 its last; None: the M bins.
        """
        places = self.positions if positions is None else positions
        tokens = places.new_zeros(())
        if self.table is not None:
            tokens = self.table if positions is None else self._between_bins(self.table, positions)
        if self.wave_map is not None:
            phase = places[:, None] * self.frequencies
            tokens = tokens + self.wave_map(torch.cat([phase.sin(), phase.cos()], dim=1))
        return tokens

    @staticmethod
    def _between_bins(table: Tensor, positions: Tensor) -> Tensor:
        """Interpolate the rows of the table linearly."""
        place = positions.clamp(0, 1) * (len(table) - 1)
        below = place.long().clamp_max(len(table) - 2)
        share = (place - below)[:, None]
        return (1 - share) * table[below] + share * table[below + 1]
