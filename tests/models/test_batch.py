import dataclasses

import numpy as np
import pytest
import torch
from pymatgen.core import Element, Lattice, Structure

from models.graph.batch import CrystalBatch
from tests.models.crystals import crystal, three_crystals, triclinic


def test_edge_lengths_are_those_of_pymatgen() -> None:
    elements, frac_coords, lattice = triclinic(seed=3)
    structure = Structure(Lattice(lattice.numpy()), [Element.from_Z(z) for z in elements], frac_coords.numpy())
    centre, neighbour, image, distance = structure.get_neighbor_list(4.0)
    batch = dataclasses.replace(
        crystal(elements, frac_coords, lattice),
        edge_source=torch.tensor(centre),
        edge_target=torch.tensor(neighbour),
        edge_image=torch.tensor(image),
    )
    np.testing.assert_allclose(batch.edge_vector().norm(dim=1).numpy(), distance, atol=1e-10)


def test_an_edge_points_from_the_source_to_the_image_of_the_target() -> None:
    lattice = torch.diag(torch.tensor([2.0, 3.0, 4.0]))
    batch = CrystalBatch(
        atomic_numbers=torch.tensor([11, 17]),
        frac_coords=torch.tensor([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]),
        lattice=lattice[None],
        batch=torch.tensor([0, 0]),
        edge_source=torch.tensor([0]),
        edge_target=torch.tensor([1]),
        edge_image=torch.tensor([[-1, 0, 1]]),
    )
    torch.testing.assert_close(batch.edge_vector(), torch.tensor([[-1.0, 1.5, 6.0]]))


def test_edge_vectors_are_differentiable_in_positions_and_lattice() -> None:
    batch = crystal(*triclinic(seed=4, n_atoms=2))

    def edge_vector(frac_coords: torch.Tensor, lattice: torch.Tensor) -> torch.Tensor:
        return dataclasses.replace(batch, frac_coords=frac_coords, lattice=lattice).edge_vector()

    assert torch.autograd.gradcheck(
        edge_vector, (batch.frac_coords.clone().requires_grad_(), batch.lattice.clone().requires_grad_())
    )


def test_concatenation_keeps_every_edge_in_its_crystal() -> None:
    parts = [crystal(*triclinic(seed)) for seed in (1, 2)]
    joined = CrystalBatch.concatenate(parts)
    assert joined.n_crystals == 2
    assert torch.equal(joined.batch[joined.edge_source], joined.batch[joined.edge_target])
    torch.testing.assert_close(joined.edge_vector(), torch.cat([part.edge_vector() for part in parts]))


def test_concatenating_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        CrystalBatch.concatenate([])


def test_shapes_that_do_not_fit_are_named() -> None:
    with pytest.raises(ValueError, match=r"edge_image has shape .*expected \(0, 3\)"):
        dataclasses.replace(three_crystals(), edge_source=torch.tensor([]), edge_target=torch.tensor([]))


def test_moving_to_a_device_moves_every_tensor() -> None:
    batch = three_crystals()
    batch = dataclasses.replace(batch, occupancy=batch.element_shares(), embedding=torch.zeros(batch.n_crystals, 5))
    moved = batch.to("meta")
    assert {getattr(moved, field.name).device.type for field in dataclasses.fields(moved)} == {"meta"}
