"""What every graph encoder promises, in double precision."""

import dataclasses
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from models.graph.batch import GraphEncoder
from models.graph.painn import PaiNN
from tests.models.crystals import CUTOFF, crystal, isolated_atom, random_rotation, three_crystals, triclinic

ENCODERS: dict[str, Callable[[], GraphEncoder]] = {
    "painn": lambda: PaiNN(dim=16, n_interactions=3, n_radial=8, cutoff=CUTOFF),
}
SEEDS = (1, 2, 3)


@pytest.fixture(params=ENCODERS)
def encoder(request: pytest.FixtureRequest) -> GraphEncoder:
    torch.manual_seed(0)
    return ENCODERS[request.param]().double().eval()


def assert_same(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("seed", SEEDS)
def test_rotation_changes_nothing(encoder: GraphEncoder, seed: int) -> None:
    elements, frac_coords, lattice = triclinic(seed)
    features = encoder(crystal(elements, frac_coords, lattice))
    rotated = encoder(crystal(elements, frac_coords, lattice @ random_rotation(seed)))
    assert_same(rotated.nodes, features.nodes)
    assert_same(rotated.pooled, features.pooled)


@pytest.mark.parametrize("seed", SEEDS)
def test_translation_changes_nothing(encoder: GraphEncoder, seed: int) -> None:
    elements, frac_coords, lattice = triclinic(seed)
    shift = torch.tensor([0.31, -0.77, 1.4], dtype=torch.float64)
    moved = encoder(crystal(elements, frac_coords + shift, lattice))
    assert_same(moved.nodes, encoder(crystal(elements, frac_coords, lattice)).nodes)


@pytest.mark.parametrize("seed", SEEDS)
def test_moving_one_atom_by_a_lattice_vector_changes_nothing(encoder: GraphEncoder, seed: int) -> None:
    elements, frac_coords, lattice = triclinic(seed)
    moved = frac_coords.clone()
    moved[1] += torch.tensor([1.0, -1.0, 0.0], dtype=torch.float64)
    assert_same(
        encoder(crystal(elements, moved, lattice)).nodes, encoder(crystal(elements, frac_coords, lattice)).nodes
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_renumbering_the_atoms_renumbers_their_features(encoder: GraphEncoder, seed: int) -> None:
    elements, frac_coords, lattice = triclinic(seed)
    order = [2, 0, 3, 1]
    features = encoder(crystal(elements, frac_coords, lattice))
    renumbered = encoder(crystal([elements[i] for i in order], frac_coords[order], lattice))
    assert_same(renumbered.nodes, features.nodes[order])
    assert_same(renumbered.pooled, features.pooled)


@pytest.mark.parametrize("seed", SEEDS)
def test_other_lattice_vectors_of_the_same_lattice_change_nothing(encoder: GraphEncoder, seed: int) -> None:
    elements, frac_coords, lattice = triclinic(seed)
    unimodular = torch.tensor([[1, 1, 0], [0, 1, -1], [0, 0, 1]], dtype=torch.float64)
    skewed = crystal(elements, frac_coords @ torch.linalg.inv(unimodular), unimodular @ lattice)
    assert_same(encoder(skewed).nodes, encoder(crystal(elements, frac_coords, lattice)).nodes)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_supercell_has_the_features_of_its_cell(encoder: GraphEncoder, seed: int) -> None:
    elements, frac_coords, lattice = triclinic(seed, n_atoms=3)
    repeat = torch.tensor([2.0, 1.0, 2.0], dtype=torch.float64)
    shifts = torch.cartesian_prod(torch.arange(2.0), torch.arange(1.0), torch.arange(2.0)).double()  # (4, 3)
    supercell = crystal(
        elements * len(shifts),
        ((frac_coords + shifts[:, None]) / repeat).flatten(0, 1),
        repeat[:, None] * lattice,
    )
    primitive, repeated = encoder(crystal(elements, frac_coords, lattice)), encoder(supercell)
    assert_same(repeated.pooled, primitive.pooled)
    assert_same(repeated.nodes, primitive.nodes.repeat(len(shifts), 1))


def test_what_else_is_in_the_batch_changes_nothing(encoder: GraphEncoder) -> None:
    parts = [crystal(*triclinic(1)), isolated_atom(), crystal(*triclinic(2, n_atoms=2))]
    together = encoder(three_crystals())
    assert_same(together.pooled, torch.cat([encoder(part).pooled for part in parts]))
    assert_same(together.nodes, torch.cat([encoder(part).nodes for part in parts]))
    assert together.pooled.shape == (3, encoder.dim)


def test_features_tell_structures_apart(encoder: GraphEncoder) -> None:
    elements, frac_coords, lattice = triclinic(1)
    pooled = encoder(crystal(elements, frac_coords, lattice)).pooled
    displaced = frac_coords.clone()
    displaced[0, 0] += 0.05
    substituted = [elements[0] + 1, *elements[1:]]
    for other in (
        crystal(elements, displaced, lattice),
        crystal(elements, frac_coords, 1.02 * lattice),
        crystal(substituted, frac_coords, lattice),
    ):
        assert (encoder(other).pooled - pooled).abs().max() > 1e-5


def test_features_have_the_right_derivatives(encoder: GraphEncoder) -> None:
    batch = crystal(*triclinic(1, n_atoms=2))
    weights = torch.randn(encoder.dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def scalar(frac_coords: Tensor, lattice: Tensor) -> Tensor:
        moved = dataclasses.replace(batch, frac_coords=frac_coords, lattice=lattice)
        return encoder(moved).pooled @ weights

    assert torch.autograd.gradcheck(
        scalar, (batch.frac_coords.clone().requires_grad_(), batch.lattice.clone().requires_grad_())
    )


def test_every_parameter_can_learn(encoder: GraphEncoder) -> None:
    encoder(three_crystals()).pooled.square().sum().backward()
    still = [name for name, parameter in encoder.named_parameters() if parameter.grad is None]
    assert still == []


def test_an_edge_of_no_length_gives_finite_features_and_gradients(encoder: GraphEncoder) -> None:
    batch = crystal(*triclinic(1, n_atoms=2))
    frac_coords = batch.frac_coords.clone().requires_grad_()
    with_self_edge = dataclasses.replace(
        batch,
        frac_coords=frac_coords,
        edge_source=torch.cat([batch.edge_source, torch.tensor([0])]),
        edge_target=torch.cat([batch.edge_target, torch.tensor([0])]),
        edge_image=torch.cat([batch.edge_image, torch.zeros(1, 3, dtype=torch.float64)]),
    )
    pooled = encoder(with_self_edge).pooled
    pooled.sum().backward()
    assert pooled.isfinite().all()
    assert frac_coords.grad is not None
    assert frac_coords.grad.isfinite().all()


def test_single_precision_is_close_to_double(encoder: GraphEncoder) -> None:
    batch = three_crystals()
    single = dataclasses.replace(
        batch,
        frac_coords=batch.frac_coords.float(),
        lattice=batch.lattice.float(),
        edge_image=batch.edge_image.to(torch.int8),
    )
    expected = encoder(batch).pooled
    torch.testing.assert_close(encoder.float()(single).pooled.double(), expected, rtol=1e-3, atol=1e-4)
