"""Pretraining on structures: what is hidden, what is displaced, and that there is something to learn."""

import dataclasses
import math

import pytest
import torch
from torch import Tensor, nn

from models.graph.batch import CrystalBatch, CrystalFeatures, GraphEncoder
from models.graph.painn.model import PaiNN
from models.structure_pretraining import StructurePretraining, corrupt
from tests.models.crystals import CUTOFF, single_precision, three_crystals

BATCH = three_crystals()
N_ATOMS = len(BATCH.atomic_numbers)
MASKED = torch.arange(N_ATOMS) % 3 == 0


def displacements(size: float) -> Tensor:
    return size * torch.randn(N_ATOMS, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


class Constant(GraphEncoder):
    """The same features for every atom."""

    def __init__(self) -> None:
        super().__init__()
        self.dim = 4

    def forward(self, crystals: CrystalBatch) -> CrystalFeatures:
        nodes = torch.ones(len(crystals.atomic_numbers), 4, dtype=crystals.frac_coords.dtype)
        return CrystalFeatures(nodes, nodes.new_zeros(crystals.n_crystals, 4), crystals.batch)


def test_atoms_move_by_the_displacements_in_space() -> None:
    moved = displacements(0.3)
    corrupted = corrupt(BATCH, MASKED, moved)
    lattice = BATCH.lattice[BATCH.batch]
    found = ((corrupted.frac_coords - BATCH.frac_coords)[:, None] @ lattice)[:, 0]
    torch.testing.assert_close(found, moved)
    torch.testing.assert_close(
        corrupted.edge_vector() - BATCH.edge_vector(), moved[BATCH.edge_target] - moved[BATCH.edge_source]
    )


def test_hidden_elements_are_no_element_and_the_others_stay() -> None:
    corrupted = corrupt(BATCH, MASKED, displacements(0.0))
    assert (corrupted.atomic_numbers[MASKED] == 0).all()
    assert torch.equal(corrupted.atomic_numbers[~MASKED], BATCH.atomic_numbers[~MASKED])
    assert (BATCH.atomic_numbers > 0).all()


def test_a_mixed_site_is_hidden_as_a_whole() -> None:
    mixed = dataclasses.replace(BATCH, occupancy=BATCH.element_shares())
    plain, corrupted = corrupt(BATCH, MASKED, displacements(0.0)), corrupt(mixed, MASKED, displacements(0.0))
    torch.testing.assert_close(corrupted.element_shares(), plain.element_shares())


def test_the_features_of_a_hidden_atom_say_nothing_of_its_element() -> None:
    torch.manual_seed(0)
    encoder = PaiNN(dim=8, n_interactions=2, n_radial=6, cutoff=CUTOFF).double()
    other = dataclasses.replace(BATCH, atomic_numbers=torch.where(MASKED, 26, BATCH.atomic_numbers))
    first, second = (encoder(corrupt(one, MASKED, displacements(0.1))).nodes for one in (BATCH, other))
    assert torch.equal(first, second)


def test_heads_that_know_nothing_have_the_loss_of_a_guess() -> None:
    model = StructurePretraining(Constant(), noise=0.2, cutoff=CUTOFF).double()
    for layer in (model.element_head, model.length_head[-1]):
        assert isinstance(layer, nn.Linear)
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    corrupted = corrupt(BATCH, MASKED, displacements(0.2))
    change = (BATCH.edge_vector().norm(dim=1) - corrupted.edge_vector().norm(dim=1)) / 0.2
    expected = math.log(119) + change.square().mean().item()
    assert model(corrupted, BATCH, MASKED).item() == pytest.approx(expected)
    nothing = torch.zeros_like(MASKED)
    assert model(corrupt(BATCH, nothing, displacements(0.2)), BATCH, nothing).item() == pytest.approx(
        expected - math.log(119)
    )


def test_an_edge_looks_the_same_from_either_end() -> None:
    torch.manual_seed(0)
    model = StructurePretraining(PaiNN(8, 2, 6, CUTOFF), noise=0.1, cutoff=CUTOFF).double()
    turned = dataclasses.replace(
        BATCH, edge_source=BATCH.edge_target, edge_target=BATCH.edge_source, edge_image=-BATCH.edge_image
    )
    moved = displacements(0.1)
    losses = [model(corrupt(one, MASKED, moved), one, MASKED).item() for one in (BATCH, turned)]
    assert losses[0] == pytest.approx(losses[1])


def test_training_learns_to_name_elements_and_mend_lengths() -> None:
    torch.manual_seed(0)
    batch = single_precision(BATCH)
    model = StructurePretraining(PaiNN(16, 2, 8, CUTOFF), noise=0.1, cutoff=CUTOFF)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    corrupted = corrupt(batch, MASKED, displacements(0.1).float())
    losses = []
    for _ in range(60):
        loss = model(corrupted, batch, MASKED)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
