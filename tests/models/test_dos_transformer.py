import dataclasses

import numpy as np
import pytest
import torch
from sklearn.metrics import root_mean_squared_error
from torch import Tensor

from models.crystal_systems import CRYSTAL_SYSTEMS
from models.dos_transformer import DosPrediction, DosTransformer, EnergyTokens, dos_loss
from models.graph.painn.model import PaiNN
from tests.models.crystals import CUTOFF, crystal, isolated_atom, three_crystals, triclinic

N_BINS = 11
SYSTEMS = torch.tensor([6, 0, 3])


@pytest.fixture
def model() -> DosTransformer:
    torch.manual_seed(0)
    model = DosTransformer(PaiNN(8, 2, 4, CUTOFF), N_BINS, dim=12, n_layers=2, n_heads=3, dropout=0.1)
    return model.double().eval()


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_spectrum_does_not_depend_on_what_else_is_in_the_batch(model: DosTransformer) -> None:
    together = model(three_crystals(), SYSTEMS)
    parts = [crystal(*triclinic(1)), isolated_atom(), crystal(*triclinic(2, n_atoms=2))]
    alone = [model(part, SYSTEMS[i : i + 1]) for i, part in enumerate(parts)]
    for branch in ("global_spectrum", "system_spectrum"):
        expected = torch.cat([getattr(prediction, branch) for prediction in alone])
        torch.testing.assert_close(getattr(together, branch), expected, rtol=1e-9, atol=1e-12)
        assert expected.shape == (3, N_BINS)


def test_a_supercell_has_the_spectrum_of_its_cell(model: DosTransformer) -> None:
    elements, frac_coords, lattice = triclinic(3, n_atoms=2)
    shift = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    scale = torch.tensor([2.0, 1.0, 1.0], dtype=torch.float64)
    doubled = crystal(elements * 2, torch.cat([frac_coords, frac_coords + shift]) / scale, scale[:, None] * lattice)
    expected = model(crystal(elements, frac_coords, lattice), SYSTEMS[:1]).system_spectrum
    torch.testing.assert_close(model(doubled, SYSTEMS[:1]).system_spectrum, expected, rtol=1e-9, atol=1e-12)


def test_the_prompt_changes_the_system_branch_only(model: DosTransformer) -> None:
    spectra = [
        model(three_crystals(), torch.full((3,), system, dtype=torch.int64)) for system in range(len(CRYSTAL_SYSTEMS))
    ]
    for other in spectra[1:]:
        torch.testing.assert_close(other.global_spectrum, spectra[0].global_spectrum)
        assert ((other.system_spectrum - spectra[0].system_spectrum).abs().amax(dim=1) > 1e-6).all()


def test_spectra_depend_on_the_atoms(model: DosTransformer) -> None:
    batch = three_crystals()
    strained = dataclasses.replace(batch, lattice=1.03 * batch.lattice)
    change = model(strained, SYSTEMS).system_spectrum - model(batch, SYSTEMS).system_spectrum
    assert change[[0, 2]].abs().max() > 1e-6


def test_spectra_are_never_negative(model: DosTransformer) -> None:
    with torch.no_grad():
        model.output.get_parameter("1.bias").fill_(-30.0)
    prediction = model(three_crystals(), SYSTEMS)
    assert (prediction.global_spectrum >= 0).all()
    assert (prediction.system_spectrum >= 0).all()


def test_every_parameter_gets_a_gradient(model: DosTransformer) -> None:
    dos_loss(model(three_crystals(), SYSTEMS), torch.ones(3, N_BINS, dtype=torch.float64), beta=1.0).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_energy_tokens_know_that_neighbouring_bins_are_neighbours() -> None:
    torch.manual_seed(0)
    tokens = EnergyTokens(n_bins=101, dim=32)
    with torch.no_grad():
        tokens.table.zero_()
    distance = torch.cdist(tokens(), tokens())
    assert distance[50, 51] < 0.5 * distance[50, 70]
    assert distance[0, 1:].min() > 1e-3  # and that the ends are not the same


def test_loss_is_the_mean_rmse_of_scikit_learn_per_crystal() -> None:
    prediction, target = DosPrediction(randn(4, N_BINS), randn(4, N_BINS, seed=1)), randn(4, N_BINS, seed=2)
    expected = sum(
        weight * np.mean([root_mean_squared_error(y, p) for y, p in zip(target.numpy(), spectra.numpy(), strict=True)])
        for weight, spectra in ((1.0, prediction.global_spectrum), (0.7, prediction.system_spectrum))
    )
    assert dos_loss(prediction, target, beta=0.7).item() == pytest.approx(expected)


def test_a_perfect_spectrum_has_zero_loss_and_zero_gradient() -> None:
    target = randn(2, N_BINS)
    spectrum = target.clone().requires_grad_()
    loss = dos_loss(DosPrediction(spectrum, spectrum), target, beta=1.0)
    loss.backward()
    assert loss.item() == 0.0
    assert spectrum.grad is not None
    assert (spectrum.grad == 0).all()
