"""Dropout that draws the same numbers on every processor, in a third of the time."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_DRAWS_PER_INTEGER = 4  # 16 bits of 64 each
_LEVELS = 2**16


class Dropout(nn.Module):
    r"""Set features to zero at random while training, and scale the others so that the mean stays.

    $$ y_i = \frac{m_i}{1 - p}\, x_i, \qquad m_i \sim \mathrm{Bernoulli}(1 - p) $$

    Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, *Dropout: A Simple Way to Prevent Neural Networks from
    Overfitting*, J. Mach. Learn. Res. 15, 1929-1958 (2014). `keep_factors` says what differs from `torch.nn.Dropout`.

    Args:
        p: probability that a feature is dropped.

    Raises:
        ValueError: p is negative, or not below 1.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0.0 <= p < 1.0:
            raise ValueError(f"dropout is {p}, expected a probability from 0 to below 1")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Return the features, of any shape; in evaluation mode as they are."""
        return x * keep_factors(x, self.p) if self.training and self.p > 0 else x

    def extra_repr(self) -> str:
        """Return what `print` says of the module."""
        return f"p={self.p}"


def keep_factors(like: Tensor, p: float) -> Tensor:
    """Draw what dropout multiplies features with: zero with probability p, else 1 / (1 - p).

    On a processor torch takes a generator of Intel's library where the processor is Intel's, and its own elsewhere, so
    that training with `torch.nn.Dropout` depends on who made the processor. Here a draw is 16 bits of torch's Mersenne
    Twister anywhere, so p counts in steps of 2^-16; the factor goes with the p that is drawn, not with the one asked
    for. An accelerator takes torch's own.

    Args:
        like: a tensor with the shape, type and device of the result.
        p: probability, from 0 to below 1.
    """
    if not like.is_cpu:
        return F.dropout(torch.ones_like(like), p)
    n_dropped = min(round(p * _LEVELS), _LEVELS - 1)
    integers = torch.empty(-(-like.numel() // _DRAWS_PER_INTEGER), dtype=torch.int64).random_(-(2**63), None)
    draws = integers.view(torch.int16)[: like.numel()].view(like.shape)  # evenly from -2^15 to 2^15 - 1
    return (draws >= n_dropped - _LEVELS // 2).to(like.dtype).mul_(_LEVELS / (_LEVELS - n_dropped))
