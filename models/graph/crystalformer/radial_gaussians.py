"""Gaussians of distances, the value encoding of Crystalformer."""

import math
from typing import Any

import torch
from torch import Tensor

from models.graph.radial import LEAST_EXPONENT

_REACH = 9.0  # widths; beyond, a Gaussian is below 3e-18 and is not evaluated


def radial_gaussians(squared_distance: Tensor, n_radial: int, largest: float, longest: float) -> Tensor:
    r"""Evaluate $b_k(r) = e^{-(r-\mu_k)^2 / 2\omega^2}$ with $\mu_k = k\,\omega$ and $\omega = r_{max}/K$, k from 1.

    Args:
        squared_distance: (A, M) r² in Å².
        n_radial: K.
        largest: r_max in Å.
        longest: Å, a bound on the distances that matter; functions that vanish up to there are left out.

    Returns:
        (A, M, at most K), the first functions.
    """
    width = largest / n_radial
    n_evaluated = min(n_radial, math.ceil(min(longest, largest) / width + _REACH))
    apart = squared_distance > 0  # at 0, where an atom sees itself, the gradient of the square root is not finite
    r = torch.where(apart, squared_distance.where(apart, 1.0).sqrt(), 0.0)
    return gaussians(r / width, n_evaluated, 1.0)


def gaussians(t: Tensor, n_functions: int, spacing: float) -> Tensor:
    r"""Evaluate $e^{-(t - k s)^2 / 2}$ for k = 1 ... K and a spacing s; (...) to (..., K)."""
    out: Tensor = _Gaussians.apply(t, n_functions, spacing)
    return out


class _Gaussians(torch.autograd.Function):
    """Written out because the plain expression walks through memory four times."""

    @staticmethod
    def forward(ctx: Any, t: Tensor, n_functions: int, spacing: float) -> Tensor:
        ctx.save_for_backward(t)
        ctx.n_functions, ctx.spacing = n_functions, spacing
        exponent = (t[..., None] - _centers(t, n_functions, spacing)).square_().mul_(-0.5)
        return exponent.clamp_(min=LEAST_EXPONENT).exp_()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (t,) = ctx.saved_tensors
        offset = _centers(t, ctx.n_functions, ctx.spacing) - t[..., None]
        return (grad * offset * gaussians(t, ctx.n_functions, ctx.spacing)).sum(dim=-1), None, None


def _centers(t: Tensor, n_functions: int, spacing: float) -> Tensor:
    return spacing * torch.arange(1, n_functions + 1, device=t.device, dtype=t.dtype)
