import math

import numpy as np
import pytest
import torch

from models.graph.radial import BesselBasis, DampedGaussianBasis, GaussianBasis, cosine_cutoff, edge_length
from tests.models.crystals import CUTOFF


def test_bessel_basis_is_the_textbook_formula_and_vanishes_at_the_cutoff() -> None:
    basis = BesselBasis(n_radial=5, cutoff=CUTOFF).double()
    r = np.linspace(0.3, CUTOFF, 20)
    envelope = 0.5 * (np.cos(np.pi * r / CUTOFF) + 1)
    bessel = [math.sqrt(2 / CUTOFF) * np.sin(n * np.pi * r / CUTOFF) / r for n in range(1, 6)]
    expected = np.stack([*bessel, np.ones_like(r)], axis=1) * envelope[:, None]
    np.testing.assert_allclose(basis(torch.tensor(r)).numpy(), expected, atol=1e-6)
    assert basis(torch.tensor([CUTOFF, CUTOFF + 1.0], dtype=torch.float64)).abs().max() < 1e-12


def test_gaussians_are_those_of_the_published_code_at_its_settings() -> None:
    r = np.linspace(0.0, 8.0, 33)
    filters = np.arange(0, 8 + 0.2, 0.2)  # 0 to 8 Å in steps of 0.2 Å
    expected = np.exp(-((r[:, None] - filters) ** 2) / 0.2**2)
    found = GaussianBasis(n_radial=41, cutoff=8.0).double()(torch.tensor(r))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)


def test_damped_gaussians_are_those_of_clac_at_its_settings() -> None:
    r = np.linspace(0.0, 8.0, 33)
    centers = np.linspace(0, 8, 80)
    gamma = 1 / (centers[1] - centers[0])
    expected = np.exp(-gamma * (r[:, None] - centers) ** 2) * np.cos(np.pi * r[:, None] / 16)
    found = DampedGaussianBasis(n_radial=80, cutoff=8.0).double()(torch.tensor(r))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)


def test_one_gaussian_is_refused() -> None:
    with pytest.raises(ValueError, match="n_radial is 1"):
        GaussianBasis(n_radial=1, cutoff=CUTOFF)


def test_cutoff_falls_smoothly_from_one_to_zero() -> None:
    r = torch.tensor([0.0, CUTOFF / 2, CUTOFF, CUTOFF + 1], dtype=torch.float64, requires_grad=True)
    envelope = cosine_cutoff(r, CUTOFF)
    (slope,) = torch.autograd.grad(envelope.sum(), r)
    torch.testing.assert_close(envelope, torch.tensor([1, 0.5, 0, 0], dtype=torch.float64))
    torch.testing.assert_close(slope, torch.tensor([0, -math.pi / (2 * CUTOFF), 0, 0], dtype=torch.float64))


def test_length_is_the_norm_and_has_a_finite_gradient_at_zero() -> None:
    vectors = torch.tensor([[1.0, -2.0, 2.0], [0.0, 0.0, 0.0]], requires_grad=True)
    length = edge_length(vectors)
    (gradient,) = torch.autograd.grad(length.sum(), vectors)
    torch.testing.assert_close(length, torch.tensor([3.0, 0.0]), atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(gradient, torch.tensor([[1.0, -2.0, 2.0], [0.0, 0.0, 0.0]]) / 3)
