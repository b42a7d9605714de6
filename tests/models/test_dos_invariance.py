"""What the DOS transformer promises whatever its options: on crystals drawn at random and on crystals of the sample."""

import dataclasses
from collections.abc import Callable

import pytest
import torch
from hypothesis import example, given, settings
from torch import Tensor

from models.dos.transformer import DosTransformer
from models.graph.batch import CrystalBatch, GraphEncoder
from models.graph.cgcnn.model import CGCNN
from models.graph.painn.model import PaiNN
from tests.models.crystals import (
    CUTOFF,
    Material,
    crystal,
    drawn_materials,
    isolated_atom,
    random_rotation,
    sample_materials,
    supercell,
    three_crystals,
    triclinic,
)

N_BINS = 9
MODELS: dict[str, Callable[[], DosTransformer]] = {
    "painn": lambda: build(PaiNN(8, 2, 4, CUTOFF)),
    "cgcnn": lambda: build(CGCNN(8, 2, 11, CUTOFF)),
    "plain-attention": lambda: build(PaiNN(12, 2, 4, CUTOFF), attention="plain", energies="table"),
    "global-inputs": lambda: build(PaiNN(8, 2, 4, CUTOFF), energies="waves", n_global_inputs=2),
}


def build(encoder: GraphEncoder, **options: object) -> DosTransformer:
    return DosTransformer(encoder, N_BINS, dim=12, n_layers=2, n_heads=3, dropout=0.1, **options)


class Subject:
    """A model in double precision and evaluation mode, its running averages set from a batch."""

    def __init__(self, name: str) -> None:
        torch.manual_seed(0)
        self.model = MODELS[name]().double()
        self.model.graph_encoder(three_crystals())
        self.model.eval()

    def __call__(self, batch: CrystalBatch) -> Tensor:
        """Spectra of both branches, (2, B, n_bins)."""
        systems, global_inputs = torch.full((batch.n_crystals,), 3), batch.lattice.new_ones(batch.n_crystals, 2)
        with torch.no_grad():
            prediction = self.model(batch, systems, global_inputs)
        return torch.stack([prediction.global_spectrum, prediction.system_spectrum])


@pytest.fixture(scope="module", params=MODELS)
def subject(request: pytest.FixtureRequest) -> Subject:
    return Subject(request.param)


def assert_same(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-10)


def for_crystals(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test on some small crystals of the sample, and on five that are drawn."""
    for material in sample_materials()[:8:2]:
        test = example(material=material)(test)
    return settings(max_examples=5, deadline=None, derandomize=True)(given(material=drawn_materials())(test))


@for_crystals
def test_rotation_changes_nothing(subject: Subject, material: Material) -> None:
    rotated = material._replace(lattice=material.lattice @ random_rotation(seed=1))
    assert_same(subject(crystal(*rotated)), subject(crystal(*material)))


@for_crystals
def test_the_order_and_the_origin_of_the_atoms_change_nothing(subject: Subject, material: Material) -> None:
    elements, frac_coords, lattice = material
    order = [*range(1, len(elements), 2), *range(0, len(elements), 2)]
    moved = frac_coords[order] + torch.tensor([0.31, -0.77, 1.4], dtype=torch.float64)
    renumbered = crystal([elements[i] for i in order], moved, lattice)
    assert_same(subject(renumbered), subject(crystal(*material)))


@for_crystals
def test_other_lattice_vectors_of_the_same_lattice_change_nothing(subject: Subject, material: Material) -> None:
    unimodular = torch.tensor([[1, 1, 0], [0, 1, -1], [0, 0, 1]], dtype=torch.float64)
    skewed = crystal(
        material.atomic_numbers,
        material.frac_coords @ torch.linalg.inv(unimodular),
        unimodular @ material.lattice,
    )
    assert_same(subject(skewed), subject(crystal(*material)))


@for_crystals
def test_a_supercell_has_the_spectrum_of_its_cell(subject: Subject, material: Material) -> None:
    assert_same(subject(crystal(*supercell(material, (2, 1, 2)))), subject(crystal(*material)))


@for_crystals
def test_what_else_is_in_the_batch_changes_nothing(subject: Subject, material: Material) -> None:
    crowd = [crystal(*material), isolated_atom(), crystal(*supercell(triclinic(2), (2, 2, 1))), crystal(*triclinic(1))]
    together = subject(CrystalBatch.concatenate(crowd))
    assert_same(together, torch.cat([subject(one) for one in crowd], dim=1))


def test_what_the_padding_holds_changes_nothing(subject: Subject) -> None:
    model, batch = subject.model, three_crystals()
    encoded = model.encode(batch, batch.lattice.new_ones(3, 2))
    assert encoded.mask is not None
    assert not encoded.mask.all()
    noise = torch.where(encoded.mask[..., None], encoded.atoms, 7.0)
    assert_same(model.gathered(dataclasses.replace(encoded, atoms=noise)), model.gathered(encoded))


def test_the_spectrum_is_that_of_the_structure_and_not_of_the_elements_alone(subject: Subject) -> None:
    material = triclinic(1)
    strained = material._replace(lattice=1.05 * material.lattice)
    assert (subject(crystal(*strained)) - subject(crystal(*material))).abs().max() > 1e-7
