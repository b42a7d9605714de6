"""Functions of the length of an edge: smooth cutoff and radial bases."""

import math

import torch
from torch import Tensor, nn

# Å: below this an edge has no direction; keeps the gradient of a zero-length edge finite
_MIN_LENGTH = 1e-6

LEAST_EXPONENT = -60.0  # exponentials that underflow take a processor ten times as long


def edge_length(edge_vector: Tensor) -> Tensor:
    """Return the lengths (n_edges,) of edge vectors (n_edges, 3) in Å, at least 1e-6 Å."""
    return edge_vector.square().sum(dim=1).clamp_min(_MIN_LENGTH**2).sqrt()


def cosine_cutoff(length: Tensor, cutoff: float) -> Tensor:
    r"""Fall smoothly from 1 at no length to 0 at the cutoff and beyond.

    $$ f_c(r) = \tfrac12 \left[ \cos(\pi r / r_c) + 1 \right] \text{ for } r < r_c, \text{ else } 0 $$

    Behler and Parrinello, *Generalized Neural-Network Representation of High-Dimensional Potential-Energy Surfaces*,
    Phys. Rev. Lett. 98, 146401 (2007), doi 10.1103/PhysRevLett.98.146401, equation 4.

    Args:
        length: r in Å, any shape.
        cutoff: r_c in Å.

    Returns:
        Values of the shape of `length`.
    """
    return 0.5 * (torch.cos(math.pi / cutoff * length.clamp_max(cutoff)) + 1.0)


class BesselBasis(nn.Module):
    r"""Radial Bessel functions and a constant, all under a cosine cutoff.

    $$ b_n(r) = \sqrt{\tfrac{2}{r_c}}\, \frac{\sin(n \pi r / r_c)}{r}\, f_c(r), \qquad b_0(r) = f_c(r) $$

    Gasteiger, Groß, Günnemann, *Directional Message Passing for Molecular Graphs*, ICLR 2020, arXiv:2003.03123,
    equation 7, with the cutoff of Schütt et al. 2021 (see `PaiNN`). A bias-free linear map of these functions is an
    affine map of the Bessel functions times the cutoff, the filter of that paper.

    Args:
        n_radial: number of Bessel functions.
        cutoff: r_c in Å.
    """

    frequencies: Tensor

    def __init__(self, n_radial: int, cutoff: float) -> None:
        super().__init__()
        self.cutoff = cutoff
        frequencies = math.pi / cutoff * torch.arange(1, n_radial + 1)
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, length: Tensor) -> Tensor:
        """Return the functions (n_edges, n_radial + 1) at edge lengths (n_edges,) in Å."""
        r = length[:, None]
        bessel = math.sqrt(2.0 / self.cutoff) * torch.sin(self.frequencies * r) / r
        return torch.cat([bessel, torch.ones_like(r)], dim=1) * cosine_cutoff(r, self.cutoff)


class GaussianBasis(nn.Module):
    r"""Gaussians at equal distances from 0 to the cutoff, as wide as their distance.

    $$ b_k(r) = \exp\left[ -\left( \frac{r - \mu_k}{\Delta\mu} \right)^2 \right], \qquad
       \mu_k = k\, \Delta\mu, \qquad \Delta\mu = \frac{r_c}{K - 1} $$

    Xie and Grossman 2018 (see `CGCNN`), supplement and published code.

    Args:
        n_radial: K, number of Gaussians, at least 2.
        cutoff: r_c in Å.

    Raises:
        ValueError: fewer than two Gaussians.
    """

    centers: Tensor

    def __init__(self, n_radial: int, cutoff: float) -> None:
        super().__init__()
        if n_radial < 2:
            raise ValueError(f"n_radial is {n_radial}, expected at least 2")
        self.cutoff = cutoff
        self.spacing = cutoff / (n_radial - 1)
        self.register_buffer("centers", torch.linspace(0.0, cutoff, n_radial), persistent=False)

    def forward(self, length: Tensor) -> Tensor:
        """Return the functions (n_edges, n_radial) at edge lengths (n_edges,) in Å."""
        exponent = -((length[:, None] - self.centers) / self.spacing).square()
        return torch.exp(exponent.clamp_min(LEAST_EXPONENT))


class DampedGaussianBasis(GaussianBasis):
    r"""The Gaussians of CLaC, broader than those of CGCNN and damped towards the cutoff.

    $$ b_k(r) = \exp\left[ -\frac{(r - \mu_k)^2}{\Delta\mu \cdot 1\,\text{Å}} \right] \cos \frac{\pi r}{2 r_c} $$

    Park et al., *Contrastive Learning of English Language and Crystal Graphs for Multimodal Representation of Materials
    Knowledge*, arXiv:2502.16451, published code: 80 Gaussians with r_c = 8 Å, hence cos(πr / 16 Å).
    """

    def forward(self, length: Tensor) -> Tensor:
        """Return the functions (n_edges, n_radial) at edge lengths (n_edges,) in Å."""
        r = length[:, None]
        damping = torch.cos(0.5 * math.pi / self.cutoff * r.clamp_max(self.cutoff))
        exponent = -(r - self.centers).square() / self.spacing
        return torch.exp(exponent.clamp_min(LEAST_EXPONENT)) * damping
