"""The baselines of the DOS transformer see what their names say and nothing more."""

import itertools

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from models.dos.baselines import AtomEncoder, EnergyHead, SpectrumBaseline, VectorHead
from models.dos.tokens import EnergyTokens
from models.graph.batch import CrystalBatch, GraphEncoder
from models.graph.painn.model import PaiNN
from tests.models.crystals import CUTOFF, crystal, isolated_atom, supercell, three_crystals, triclinic

N_BINS, DIM = 11, 12
NAMES = list(itertools.product(("atoms", "graph"), ("vector", "energies")))


def energy_head() -> EnergyHead:
    return EnergyHead(EnergyTokens(N_BINS, DIM), DIM)


def baseline(embedder: str, head: str) -> SpectrumBaseline:
    torch.manual_seed(0)
    encoder: GraphEncoder = AtomEncoder(8) if embedder == "atoms" else PaiNN(8, 2, 4, CUTOFF)
    model = SpectrumBaseline(encoder, VectorHead(DIM, N_BINS) if head == "vector" else energy_head(), DIM)
    return model.double().eval()


def polymorphs() -> tuple[CrystalBatch, CrystalBatch]:
    """Two crystals of the same atoms in different places."""
    elements, frac_coords, lattice = triclinic(1)
    moved = frac_coords + 0.1 * torch.randn(frac_coords.shape, generator=torch.Generator().manual_seed(0))
    return crystal(elements, frac_coords, lattice), crystal(elements, moved, 1.1 * lattice)


@pytest.mark.parametrize(("embedder", "head"), NAMES)
def test_spectra_are_not_negative_and_do_not_depend_on_the_batch(embedder: str, head: str) -> None:
    model = baseline(embedder, head)
    together = model(three_crystals())
    alone = [model(part) for part in (crystal(*triclinic(1)), isolated_atom(), crystal(*triclinic(2, n_atoms=2)))]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-9, atol=1e-12)
    assert together.shape == (3, N_BINS)
    assert (together >= 0).all()


@pytest.mark.parametrize(("embedder", "head"), NAMES)
def test_a_supercell_has_the_spectrum_of_its_cell(embedder: str, head: str) -> None:
    model, material = baseline(embedder, head), triclinic(3, n_atoms=2)
    doubled = crystal(*supercell(material, (2, 1, 1)))
    torch.testing.assert_close(model(doubled), model(crystal(*material)), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("head", ["vector", "energies"])
def test_only_a_graph_tells_polymorphs_apart(head: str) -> None:
    first, second = polymorphs()
    atoms, graph = baseline("atoms", head), baseline("graph", head)
    torch.testing.assert_close(atoms(first), atoms(second))
    assert (graph(first) - graph(second)).abs().max() > 1e-6


def test_the_energy_head_is_a_layer_on_token_and_crystal_side_by_side() -> None:
    torch.manual_seed(1)
    head, vectors = energy_head().double(), torch.randn(5, DIM, dtype=torch.float64)
    tokens: Tensor = head.energies()
    weight = torch.cat([head.energy_map.weight, head.crystal_map.weight], dim=1)  # (d, 2d)
    spectra = torch.zeros(5, N_BINS, dtype=torch.float64)
    for i, m in itertools.product(range(5), range(N_BINS)):
        hidden = F.linear(torch.cat([tokens[m], vectors[i]]), weight, head.crystal_map.bias)
        spectra[i, m] = head.output(F.leaky_relu(hidden))
    torch.testing.assert_close(head(vectors), spectra)


@pytest.mark.parametrize(("embedder", "head"), NAMES)
def test_every_parameter_learns(embedder: str, head: str) -> None:
    model = baseline(embedder, head)
    model(three_crystals()).square().sum().backward()
    without = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    # vectors of the last PaiNN block reach no scalar
    assert [name for name in without if not name.startswith("embedder.")] == []
