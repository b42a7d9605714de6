"""What every graph encoder promises: on crystals drawn at random and on crystals of the sample data set."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import example, given, settings
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.graph.batch import CrystalBatch, CrystalFeatures, GraphEncoder
from models.graph.cgcnn.model import CGCNN
from models.graph.crystalformer.model import Crystalformer
from models.graph.described import Described
from models.graph.element_table import N_ELEMENTS
from models.graph.painn.model import PaiNN
from models.graph.precomputed.model import Precomputed
from models.layers import segment_mean
from tests.models.crystals import (
    CUTOFF,
    Material,
    crystal,
    drawn_materials,
    isolated_atom,
    random_rotation,
    sample_materials,
    single_precision,
    supercell,
    three_crystals,
    triclinic,
)


@dataclasses.dataclass(frozen=True)
class Entry:
    """An encoder under test.

    `tolerance` is how well it keeps its promises in double precision; `reads_structure` is False for an encoder that
    sees the composition and the embedding of the batch alone; `smooth` is False for one that has no derivative where
    a symmetry makes neighbours equal.
    """

    build: Callable[[], GraphEncoder]
    tolerance: float = 1e-9
    reads_structure: bool = True
    smooth: bool = True


ENCODERS = {
    "painn": Entry(lambda: PaiNN(dim=16, n_interactions=3, n_radial=8, cutoff=CUTOFF)),
    "painn-clac": Entry(lambda: PaiNN(16, 3, 8, CUTOFF, variant="clac", element_features="one_hot")),
    "cgcnn": Entry(lambda: CGCNN(dim=16, n_convolutions=3, n_radial=11, cutoff=CUTOFF)),
    "cgcnn-clac": Entry(lambda: CGCNN(16, 3, 11, CUTOFF, variant="clac", element_features="learned")),
    "crystalformer": Entry(lambda: Crystalformer(16, 2, 4, 24, n_radial=20)),
    "crystalformer-angular": Entry(
        lambda: Crystalformer(16, 2, 2, 24, value_encoding="angular", n_radial=20), tolerance=1e-6, smooth=False
    ),
    "crystalformer-multihead": Entry(
        lambda: Crystalformer(16, 2, 4, 24, domain="multihead", n_radial=20), tolerance=1e-6
    ),
    "crystalformer-alternating": Entry(
        lambda: Crystalformer(16, 2, 4, 24, domain="alternating", value_encoding="none", normalization="post"),
        tolerance=1e-6,
    ),
    "described": Entry(lambda: Described(PaiNN(16, 2, 8, CUTOFF)), tolerance=1e-8, smooth=False),
    "precomputed": Entry(lambda: Precomputed(embedding_dim=N_ELEMENTS + 1, dim=16), reads_structure=False),
}
STRUCTURAL = [name for name, entry in ENCODERS.items() if entry.reads_structure]


def build(name: str, seed: int = 0) -> GraphEncoder:
    """An encoder in double precision and evaluation mode, its constants and running averages set from a batch."""
    torch.manual_seed(seed)
    encoder = ENCODERS[name].build().double()
    encoder.calibrate(three_crystals())
    encode(encoder.train(), three_crystals())
    return encoder.eval()


def encode(encoder: GraphEncoder, batch: CrystalBatch) -> CrystalFeatures:
    """Features of a batch, with its compositions in the place of what another model says of the crystals."""
    composition = segment_mean(batch.element_shares(), batch.batch, batch.n_crystals)
    return encoder(dataclasses.replace(batch, embedding=composition))


@dataclasses.dataclass(frozen=True)
class Subject:
    """An encoder built once for all tests; none of them may change it."""

    name: str
    encoder: GraphEncoder

    def __call__(self, material: Material) -> CrystalFeatures:
        with torch.no_grad():
            return encode(self.encoder, crystal(*material))

    def assert_same(self, a: Tensor, b: Tensor) -> None:
        tolerance = ENCODERS[self.name].tolerance
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


@pytest.fixture(scope="module", params=ENCODERS)
def subject(request: pytest.FixtureRequest) -> Subject:
    return Subject(request.param, build(request.param))


@pytest.fixture(scope="module", params=STRUCTURAL)
def structural_subject(request: pytest.FixtureRequest) -> Subject:
    return Subject(request.param, build(request.param))


def for_crystals(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test on every crystal of the sample that `sample_materials` picks, and on ten that are drawn."""
    for material in sample_materials():
        test = example(material=material)(test)
    return settings(max_examples=10, deadline=None, derandomize=True)(given(material=drawn_materials())(test))


@for_crystals
def test_rotation_changes_nothing(subject: Subject, material: Material) -> None:
    features = subject(material)
    rotated = subject(material._replace(lattice=material.lattice @ random_rotation(seed=1)))
    subject.assert_same(rotated.nodes, features.nodes)
    subject.assert_same(rotated.pooled, features.pooled)


@for_crystals
def test_translation_changes_nothing(subject: Subject, material: Material) -> None:
    shift = torch.tensor([0.31, -0.77, 1.4], dtype=torch.float64)
    moved = subject(material._replace(frac_coords=material.frac_coords + shift))
    subject.assert_same(moved.nodes, subject(material).nodes)


@for_crystals
def test_wrapping_atoms_into_the_cell_changes_nothing(subject: Subject, material: Material) -> None:
    wrapped = material._replace(frac_coords=material.frac_coords % 1.0)
    scattered = material.frac_coords.clone()
    scattered[-1] += torch.tensor([2.0, -1.0, 0.0], dtype=torch.float64)
    features = subject(material)
    subject.assert_same(subject(wrapped).nodes, features.nodes)
    subject.assert_same(subject(material._replace(frac_coords=scattered)).nodes, features.nodes)


@for_crystals
def test_renumbering_the_atoms_renumbers_their_features(subject: Subject, material: Material) -> None:
    elements, frac_coords, lattice = material
    order = [*range(1, len(elements), 2), *range(0, len(elements), 2)]
    features = subject(material)
    renumbered = subject(Material([elements[i] for i in order], frac_coords[order], lattice))
    subject.assert_same(renumbered.nodes, features.nodes[order])
    subject.assert_same(renumbered.pooled, features.pooled)


@for_crystals
def test_other_lattice_vectors_of_the_same_lattice_change_nothing(subject: Subject, material: Material) -> None:
    elements, frac_coords, lattice = material
    features = subject(material)
    for rows in ([[1, 1, 0], [0, 1, -1], [0, 0, 1]], [[0, 1, 0], [0, 0, 1], [1, 0, 2]]):
        unimodular = torch.tensor(rows, dtype=torch.float64)
        skewed = subject(Material(elements, frac_coords @ torch.linalg.inv(unimodular), unimodular @ lattice))
        subject.assert_same(skewed.nodes, features.nodes)


@for_crystals
def test_a_supercell_has_the_features_of_its_cell(subject: Subject, material: Material) -> None:
    primitive, repeated = subject(material), subject(supercell(material, (2, 1, 2)))
    subject.assert_same(repeated.pooled, primitive.pooled)
    subject.assert_same(repeated.nodes, primitive.nodes.repeat(4, 1))


def test_a_cell_of_300_atoms_has_the_features_of_its_three_atoms(subject: Subject) -> None:
    material = triclinic(seed=1, n_atoms=3)
    large = supercell(material, (5, 5, 4))
    assert len(large.atomic_numbers) == 300
    primitive, repeated = subject(material), subject(large)
    assert primitive.nodes.isfinite().all()
    subject.assert_same(repeated.pooled, primitive.pooled)
    subject.assert_same(repeated.nodes, primitive.nodes.repeat(100, 1))


def test_a_single_atom_in_its_cell_has_the_features_of_each_atom_of_the_conventional_cell(subject: Subject) -> None:
    half = torch.tensor([[0.0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]], dtype=torch.float64)
    conventional = Material([29] * 4, half, 3.61 * torch.eye(3, dtype=torch.float64))  # copper, fcc
    primitive = Material([29], half[:1], 3.61 * half[1:])
    subject.assert_same(subject(conventional).nodes, subject(primitive).nodes.repeat(4, 1))
    subject.assert_same(subject(conventional).pooled, subject(primitive).pooled)


@for_crystals
def test_what_else_is_in_the_batch_changes_nothing(subject: Subject, material: Material) -> None:
    crowd = [crystal(*material), isolated_atom(), crystal(*supercell(triclinic(2), (2, 2, 1))), crystal(*triclinic(1))]
    with torch.no_grad():
        together = encode(subject.encoder, CrystalBatch.concatenate(crowd))
        alone = [encode(subject.encoder, part) for part in crowd]
    subject.assert_same(together.pooled, torch.cat([part.pooled for part in alone]))
    subject.assert_same(together.nodes, torch.cat([part.nodes for part in alone]))
    assert together.pooled.shape == (4, subject.encoder.dim)


@for_crystals
def test_features_have_the_right_derivatives(structural_subject: Subject, material: Material) -> None:
    if not ENCODERS[structural_subject.name].smooth:
        pytest.skip("differentiable at crystals without symmetry only, where test_crystalformer.py checks it")
    batch = crystal(*material)
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(structural_subject.encoder.dim, generator=generator, dtype=torch.float64)

    def scalar(frac_coords: Tensor, lattice: Tensor) -> Tensor:
        moved = dataclasses.replace(batch, frac_coords=frac_coords, lattice=lattice)
        return encode(structural_subject.encoder, moved).pooled @ weights

    geometry = (batch.frac_coords.clone().requires_grad_(), batch.lattice.clone().requires_grad_())
    assert torch.autograd.gradcheck(scalar, geometry, fast_mode=True)


@for_crystals
def test_single_precision_is_close_to_double(subject: Subject, material: Material) -> None:
    batch = crystal(*material)
    single = build(subject.name).float()
    found = encode(single, single_precision(batch)).pooled
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), subject(material).pooled, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ENCODERS)
def test_mixed_precision_trains_and_stays_close(name: str) -> None:
    encoder, batch = build(name).float(), single_precision(three_crystals())
    expected = encode(encoder, batch).pooled
    with torch.autocast("cpu", torch.bfloat16):
        found = encode(encoder, batch).pooled
        encode(encoder.train(), batch).pooled.square().sum().backward()
    assert float((found - expected).abs().max()) < 0.2 * float(expected.abs().max())
    assert all(parameter.grad is None or bool(parameter.grad.isfinite().all()) for parameter in encoder.parameters())


@for_crystals
def test_training_gives_every_parameter_and_every_atom_a_finite_gradient(subject: Subject, material: Material) -> None:
    encoder = build(subject.name).float().train()
    batch = single_precision(crystal(*material))
    frac_coords = batch.frac_coords.requires_grad_()
    encode(encoder, batch).pooled.square().sum().backward()
    gradients = {name: parameter.grad for name, parameter in encoder.named_parameters()}
    assert [name for name, gradient in gradients.items() if gradient is None] == []
    assert all(gradient.isfinite().all() for gradient in gradients.values() if gradient is not None)
    assert (frac_coords.grad is not None) == ENCODERS[subject.name].reads_structure
    assert frac_coords.grad is None or frac_coords.grad.isfinite().all()


def test_a_batch_of_one_isolated_atom_gives_finite_features_and_gradients(subject: Subject) -> None:
    encoder = build(subject.name).train()
    pooled = encode(encoder, isolated_atom()).pooled
    pooled.square().sum().backward()
    assert pooled.isfinite().all()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in encoder.parameters())
    assert encode(subject.encoder, isolated_atom()).nodes.isfinite().all()
    assert all(value.isfinite().all() for value in encoder.state_dict().values())


def test_a_pair_with_one_edge_gives_finite_features_and_gradients(subject: Subject) -> None:
    frac_coords = torch.tensor([[0.0, 0, 0], [0.1, 0, 0]], dtype=torch.float64)
    pair = crystal([11, 17], frac_coords, 25.0 * torch.eye(3, dtype=torch.float64))
    one_way = dataclasses.replace(
        pair, edge_source=pair.edge_source[:1], edge_target=pair.edge_target[:1], edge_image=pair.edge_image[:1]
    )
    assert len(one_way.edge_source) == 1
    encoder = build(subject.name).train()
    pooled = encode(encoder, one_way).pooled
    pooled.square().sum().backward()
    assert pooled.isfinite().all()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in encoder.parameters())


def test_an_edge_of_no_length_gives_finite_features_and_gradients(structural_subject: Subject) -> None:
    batch = crystal(*triclinic(1, n_atoms=2))
    frac_coords = batch.frac_coords.clone().requires_grad_()
    with_self_edge = dataclasses.replace(
        batch,
        frac_coords=frac_coords,
        edge_source=torch.cat([batch.edge_source, torch.tensor([0])]),
        edge_target=torch.cat([batch.edge_target, torch.tensor([0])]),
        edge_image=torch.cat([batch.edge_image, torch.zeros(1, 3, dtype=torch.float64)]),
    )
    pooled = encode(structural_subject.encoder, with_self_edge).pooled
    (gradient,) = torch.autograd.grad(pooled.sum(), frac_coords)
    assert pooled.isfinite().all()
    assert gradient.isfinite().all()


def test_features_tell_structures_apart(structural_subject: Subject) -> None:
    material = triclinic(1)
    displaced = material.frac_coords.clone()
    displaced[0, 0] += 0.05
    pooled = structural_subject(material).pooled
    for other in (material._replace(frac_coords=displaced), material._replace(lattice=1.02 * material.lattice)):
        assert (structural_subject(other).pooled - pooled).abs().max() > 1e-5


def test_features_tell_elements_apart(subject: Subject) -> None:
    material = triclinic(1)
    first, *others = material.atomic_numbers
    substituted = material._replace(atomic_numbers=[first + 1, *others])
    assert (subject(substituted).pooled - subject(material).pooled).abs().max() > 1e-5


@for_crystals
def test_two_halves_of_an_element_are_the_whole(subject: Subject, material: Material) -> None:
    batch = crystal(*material)
    half = 0.5 * batch.element_shares()
    with torch.no_grad():
        halves = encode(subject.encoder, dataclasses.replace(batch, occupancy=half + half))
    subject.assert_same(halves.nodes, subject(material).nodes)


def test_a_mixed_site_is_none_of_its_elements(subject: Subject) -> None:
    elements, frac_coords, lattice = triclinic(1)
    other = [79, *elements[1:]]
    pure = [crystal(z, frac_coords, lattice) for z in (elements, other)]
    mixed = dataclasses.replace(pure[0], occupancy=0.5 * (pure[0].element_shares() + pure[1].element_shares()))
    vacant = dataclasses.replace(pure[0], occupancy=0.5 * pure[0].element_shares())
    for a, b in ((mixed, pure[0]), (mixed, pure[1]), (vacant, pure[0]), (vacant, mixed)):
        assert (encode(subject.encoder, a).pooled - encode(subject.encoder, b).pooled).abs().max() > 1e-5


def test_the_same_seed_gives_the_same_bytes(subject: Subject) -> None:
    again = build(subject.name)
    batch = CrystalBatch.concatenate([crystal(*material) for material in sample_materials()])
    first, second = encode(subject.encoder, batch), encode(again, batch)
    assert first.nodes.detach().numpy().tobytes() == second.nodes.detach().numpy().tobytes()
    assert first.pooled.detach().numpy().tobytes() == second.pooled.detach().numpy().tobytes()


def test_a_saved_encoder_comes_back(subject: Subject, tmp_path: Path) -> None:
    save_file(subject.encoder.state_dict(), tmp_path / "encoder.safetensors")
    other = build(subject.name, seed=1)
    batch = three_crystals()
    assert not torch.equal(encode(other, batch).pooled, encode(subject.encoder, batch).pooled)
    other.load_state_dict(load_file(tmp_path / "encoder.safetensors"))
    assert torch.equal(encode(other, batch).pooled, encode(subject.encoder, batch).pooled)
