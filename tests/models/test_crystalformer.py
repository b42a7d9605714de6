import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from models.graph.batch import CrystalBatch
from models.graph.crystalformer.frames import FrameEncoding, max_frame
from models.graph.crystalformer.infinite_attention import GaussianWidth
from models.graph.crystalformer.lattice_images import ImageBlock, atom_pairs, gaussian_reach, image_blocks
from models.graph.crystalformer.model import Crystalformer
from models.graph.crystalformer.radial_gaussians import radial_gaussians
from models.graph.crystalformer.reciprocal_attention import ReciprocalHeads, half_space, waves_within
from tests.models.crystals import crystal, three_crystals, triclinic
from tests.models.dense_crystalformer import DenseCrystalformer


class WindowCrystalformer(Crystalformer):
    """Sums over the window |n_d| ≤ 2 of every pair and leaves no image out, as the published PyTorch path does."""

    window = 2

    def images(self, crystals: CrystalBatch) -> list[ImageBlock]:
        self.reach = self.radius = math.inf
        centre, neighbor = atom_pairs(crystals)
        window = torch.cartesian_prod(*[torch.arange(-self.window, self.window + 1)] * 3)
        n_images = len(window)
        repeated = (column.repeat_interleave(n_images) for column in (centre, neighbor))
        return image_blocks(crystals, *repeated, window.repeat(len(centre), 1))


def small(kind: type[Crystalformer] = Crystalformer, **options: Any) -> Crystalformer:
    torch.manual_seed(0)
    encoder = kind(dim=16, n_blocks=2, n_heads=4, feed_forward_dim=24, n_radial=20, **options).double().eval()
    for parameter in encoder.parameters():
        parameter.data.add_(0.3 * torch.randn_like(parameter))  # leave the small start, so that every term counts
    encoder.calibrate(three_crystals())
    return encoder


def sparse_pair() -> CrystalBatch:
    """A flat cell of two atoms, given outside [0, 1)."""
    lattice = torch.tensor([[2.6, 0.0, 0.0], [1.1, 3.4, 0.0], [-0.9, 0.7, 9.0]], dtype=torch.float64)
    return crystal([3, 8], torch.tensor([[0.1, -2.3, 0.2], [4.6, 0.5, 0.8]], dtype=torch.float64), lattice)


def test_the_block_wise_sum_is_the_papers_double_softmax() -> None:
    encoder = small(WindowCrystalformer)
    batch = three_crystals()
    ours = encoder(batch)
    reference = DenseCrystalformer(encoder)(batch)
    torch.testing.assert_close(ours.nodes, reference.nodes, rtol=1e-12, atol=1e-13)
    names, parameters = zip(*encoder.named_parameters(), strict=True)
    weights = torch.randn_like(ours.pooled)
    ours_grad = torch.autograd.grad((ours.pooled * weights).sum(), parameters)
    reference_grad = torch.autograd.grad((reference.pooled * weights).sum(), parameters)
    for name, one, other in zip(names, ours_grad, reference_grad, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12, msg=name)


@pytest.mark.parametrize("batch", [three_crystals(), sparse_pair()], ids=["three", "sparse"])
def test_the_converged_sum_is_that_of_a_large_window(batch: CrystalBatch) -> None:
    encoder = small(image_tolerance=1e-12)
    reference = DenseCrystalformer(encoder, reach=8)
    torch.testing.assert_close(encoder(batch).nodes, reference(batch).nodes, rtol=0, atol=1e-8)


def test_the_error_of_the_sum_falls_with_the_tolerance() -> None:
    batch, exact = sparse_pair(), small(image_tolerance=1e-13)(sparse_pair()).pooled
    errors = [
        float((small(image_tolerance=tolerance)(batch).pooled - exact).abs().max() / exact.abs().max())
        for tolerance in (1e-1, 1e-3, 1e-5, 1e-7)
    ]
    assert errors == sorted(errors, reverse=True)
    assert all(error < 3 * tolerance for error, tolerance in zip(errors, (1e-1, 1e-3, 1e-5, 1e-7), strict=True))


@pytest.mark.parametrize("tolerance", [0.3, 1e-2, 1e-6])
def test_the_reach_leaves_that_share_of_a_gaussian_outside(tolerance: float) -> None:
    generator = torch.Generator().manual_seed(0)
    x = gaussian_reach(tolerance)
    r = torch.linspace(x, 40.0, 400_001, dtype=torch.float64)
    density = 4 * math.pi * r**2 * torch.exp(-(r**2) / 2) / (2 * math.pi) ** 1.5
    assert float(torch.trapezoid(density, r)) == pytest.approx(tolerance, rel=1e-5)
    if tolerance == 0.3:
        points = torch.randn(200_000, 3, generator=generator)
        assert float((points.norm(dim=1) > x).float().mean()) == pytest.approx(tolerance, abs=0.004)


def test_without_value_encoding_one_atom_per_cell_cannot_feel_its_lattice() -> None:
    frac_coords = torch.zeros(1, 3, dtype=torch.float64)
    small_cell, large_cell = (crystal([29], frac_coords, a * torch.eye(3, dtype=torch.float64)) for a in (2.5, 4.0))
    simplified = small(value_encoding="none")
    torch.testing.assert_close(simplified(small_cell).nodes, simplified(large_cell).nodes)
    full = small()
    assert (full(small_cell).nodes - full(large_cell).nodes).abs().max() > 1e-3


def test_rho_is_the_bounded_elu_of_the_standardised_projection() -> None:
    torch.manual_seed(0)
    width = GaussianWidth(dim=8, n_heads=2, lower_bound=0.5).double()
    query = torch.randn(50, 2, 4, dtype=torch.float64)
    width.calibrate(query)
    projected = torch.einsum("ihd,hd->ih", query, width.weight)
    u = (projected - projected.mean()) / projected.std()
    expected = torch.where(u > 0, 1 + 0.1 * u, 0.5 + 0.5 * torch.exp(0.2 * u))
    torch.testing.assert_close(width(query), expected)
    assert float(width(1e6 * query).min()) >= 0.5


def test_calibration_changes_only_the_scales_and_is_part_of_the_weights() -> None:
    encoder = small()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    encoder.calibrate(crystal(*triclinic(5)))
    changed = {name for name, value in encoder.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {f"blocks.{index}.width.gauss_scale" for index in range(2)}
    encoder.train()(three_crystals())
    assert all(torch.equal(encoder.state_dict()[name], value) for name, value in before.items() if name not in changed)


def lattice_sum(batch: CrystalBatch, variance: Tensor, reach: int = 12) -> Tensor:
    """log Σ_n exp(−‖p_j + nA − p_i‖² / 2σ_i²) of one crystal, image by image, (H, N, N) for σ² (N, H)."""
    window = torch.cartesian_prod(*[torch.arange(-reach, reach + 1)] * 3).double()
    difference = batch.frac_coords[None, :, None] + window - batch.frac_coords[:, None, None]
    squared = (difference @ batch.lattice[0]).square().sum(dim=-1)  # (N, N, n_images)
    return torch.logsumexp(-squared / (2 * variance.T[:, :, None, None]), dim=-1)


@pytest.mark.parametrize("scale", [2.2, 3.0])
def test_the_reciprocal_sum_is_the_poisson_twin_of_the_real_one(scale: float) -> None:
    batch = crystal(*triclinic(2, n_atoms=3))
    rho = torch.tensor([[0.6, 1.4], [1.0, 0.8], [1.1, 2.0]], dtype=torch.float64)  # (N, H)
    heads = ReciprocalHeads(scale, dropout=0.0)
    alpha = heads.alpha(rho.T[None], waves_within(batch, radius=9.0))[0]
    torch.testing.assert_close(alpha, lattice_sum(batch, scale**2 * rho), rtol=0, atol=1e-9)


def test_half_of_reciprocal_space_and_its_inverse_are_all_of_it() -> None:
    half = {tuple(one) for one in half_space([2, 1, 3]).tolist()}
    inverse = {(-h, -k, -m) for h, k, m in half}
    assert half & inverse == {(0, 0, 0)}
    assert len(half | inverse) == 5 * 3 * 7


@pytest.mark.parametrize("domain", ["reciprocal", "multihead", "alternating"])
def test_every_domain_lets_the_value_encoding_learn_where_it_sums_in_real_space(domain: Any) -> None:
    encoder = small(domain=domain)
    encoder(three_crystals()).pooled.square().sum().backward()
    real = [block.real for block in encoder.blocks if block.real is not None]
    assert len(real) == {"reciprocal": 0, "multihead": 2, "alternating": 1}[domain]
    assert all(float(heads.value_encoding.grad.abs().sum()) > 0 for heads in real)


def test_both_domains_agree_where_their_gaussians_have_the_same_width() -> None:
    real = small(value_encoding="none", real_scale=2.2, image_tolerance=1e-12)
    for block in real.blocks:  # ρ = 1; elsewhere the one width is inverse to the other
        block.width.weight.data.zero_()
        block.width.gauss_scale.zero_()
    reciprocal = small(value_encoding="none", domain="reciprocal", reciprocal_scale=2.2)
    reciprocal.load_state_dict(real.state_dict())
    reciprocal.wave_radius = 9.0
    batch = crystal(*triclinic(1))
    torch.testing.assert_close(reciprocal(batch).nodes, real(batch).nodes, rtol=0, atol=1e-5)


def test_the_gaussians_are_those_of_the_formula() -> None:
    r = torch.tensor([[0.0, 0.4, 3.3, 7.9]], dtype=torch.float64)
    basis = radial_gaussians(r**2, n_radial=64, largest=14.0, longest=8.0)
    centers = 14.0 / 64 * torch.arange(1, 65)
    expected = torch.exp(-((r[..., None] - centers) ** 2) / (2 * (14.0 / 64) ** 2))
    torch.testing.assert_close(basis, expected[..., : basis.shape[-1]])
    assert float(expected[..., basis.shape[-1] :].max()) < 1e-15


def test_the_gaussians_have_the_right_first_and_second_derivatives() -> None:
    squared = torch.tensor([[0.5, 4.0, 30.0]], dtype=torch.float64, requires_grad=True)

    def basis(x: Tensor) -> Tensor:
        return radial_gaussians(x, n_radial=12, largest=14.0, longest=14.0)

    assert torch.autograd.gradcheck(basis, squared)
    assert torch.autograd.gradgradcheck(basis, squared)


def numbers_kept_for_the_backward_pass(n_blocks: int, image_tolerance: float) -> int:
    encoder = Crystalformer(16, n_blocks, n_heads=4, feed_forward_dim=24, n_radial=8, image_tolerance=image_tolerance)
    kept: dict[int, int] = {}  # one entry per storage, the largest view of it

    def keep(tensor: Tensor) -> Tensor:
        place = tensor.untyped_storage().data_ptr()
        kept[place] = max(kept.get(place, 0), tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        pooled = encoder.double()(three_crystals()).pooled  # alive until its graph is counted
    assert pooled.requires_grad
    return sum(kept.values())


def test_more_images_take_memory_once_and_not_in_every_block() -> None:
    batch = three_crystals()
    few, many = ([block.slot.numel() for block in small(image_tolerance=one).images(batch)] for one in (0.1, 1e-4))
    assert sum(many) > 3 * sum(few)
    per_block = [
        numbers_kept_for_the_backward_pass(3, tolerance) - numbers_kept_for_the_backward_pass(2, tolerance)
        for tolerance in (0.1, 1e-4)
    ]
    assert per_block[1] < 1.1 * per_block[0]


def test_forces_can_be_trained_on() -> None:
    encoder = small()
    batch = crystal(*triclinic(1, n_atoms=2))
    frac_coords = batch.frac_coords.clone().requires_grad_()
    energy = encoder(dataclasses.replace(batch, frac_coords=frac_coords)).pooled.sum()
    (force,) = torch.autograd.grad(-energy, frac_coords, create_graph=True)
    assert force.abs().max() > 1e-4
    torch.testing.assert_close(force.sum(dim=0), torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-10)
    force.square().sum().backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters() if parameter.ndim > 2)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_angular_features_have_the_right_derivatives_at_crystals_without_symmetry(seed: int) -> None:
    encoder, batch = small(value_encoding="angular"), crystal(*triclinic(seed))
    weights = torch.randn(16, dtype=torch.float64)

    def scalar(frac_coords: Tensor, lattice: Tensor) -> Tensor:
        return encoder(dataclasses.replace(batch, frac_coords=frac_coords, lattice=lattice)).pooled @ weights

    geometry = (batch.frac_coords.clone().requires_grad_(), batch.lattice.clone().requires_grad_())
    assert torch.autograd.gradcheck(scalar, geometry, fast_mode=True)


def test_angles_tell_apart_what_distances_do_not() -> None:
    spokes = {
        "square": torch.tensor([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]]),
        "tetrahedron": torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / 3**0.5,
    }
    averages = []
    for unit in spokes.values():
        p = torch.full((1, 1, 4), 0.25)
        encoding = FrameEncoding(n_heads=1, head_dim=3)
        torch.manual_seed(0)
        torch.nn.init.normal_(encoding.weight)
        zeros = torch.zeros(1, 4, dtype=torch.int64)
        block = ImageBlock(zeros[:, 0], zeros, zeros, torch.full((1, 4), 4.0), 2.0 * unit[None])
        averages.append(encoding(p, block))
    assert (averages[0] - averages[1]).abs().max() > 0.1


def test_mirror_images_have_the_same_angular_features() -> None:
    encoder = small(value_encoding="angular")
    elements, frac_coords, lattice = triclinic(2)
    mirror = torch.diag(torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64))
    reflected = encoder(crystal(elements, frac_coords, lattice @ mirror))
    torch.testing.assert_close(reflected.nodes, encoder(crystal(elements, frac_coords, lattice)).nodes)


def test_the_frame_is_that_of_the_heaviest_images() -> None:
    generator = torch.Generator().manual_seed(0)
    unit = torch.nn.functional.normalize(torch.randn(5, 7, 3, generator=generator, dtype=torch.float64), dim=-1)
    p = torch.rand(5, 2, 7, generator=generator, dtype=torch.float64)
    axes = torch.stack(max_frame(p, unit), dim=2)  # (A, H, 3 axes, 3)
    for atom, head in [(0, 0), (2, 1), (4, 0)]:
        e1 = unit[atom, int(p[atom, head].argmax())]
        sine = torch.linalg.cross(e1.expand(7, 3), unit[atom]).norm(dim=1)
        best = unit[atom, int((p[atom, head] * sine**2 * (1 + 1e-3 * unit[atom] @ e1)).argmax())]
        e2 = torch.nn.functional.normalize(best - (best @ e1) * e1, dim=0)
        torch.testing.assert_close(axes[atom, head], torch.stack([e1, e2, torch.linalg.cross(e1, e2)]))
    torch.testing.assert_close(axes @ axes.mT, torch.eye(3, dtype=torch.float64).expand(5, 2, 3, 3))


def test_images_on_a_line_leave_the_other_axes_out() -> None:
    unit = torch.tensor([[[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]])
    axes = max_frame(torch.tensor([[[0.6, 0.4]]]), unit)
    assert [float(axis.norm()) for axis in axes] == [1.0, 0.0, 0.0]


def test_the_size_is_the_papers() -> None:
    encoder = Crystalformer(dim=128, n_blocks=4, n_heads=8, feed_forward_dim=512)
    head = 128 * 128 + 128 + 128 + 1
    n_parameters = sum(parameter.numel() for parameter in encoder.parameters()) + head
    scales = 4 * 3  # which the published code counts as parameters
    assert n_parameters - (119 - 98) * 128 + scales == 853_517  # the paper's table has 98 elements


def test_the_start_is_t_fixup() -> None:
    torch.manual_seed(0)
    block = Crystalformer(dim=128, n_blocks=4, n_heads=8, feed_forward_dim=512).blocks[0]
    gain = 0.67 * 4**-0.25
    q, _, v = block.query_key_value.weight.chunk(3)
    bound = math.sqrt(6 / 256)
    assert bound * 0.98 < float(q.abs().max()) <= bound
    assert gain * bound * 0.98 < float(v.abs().max()) <= gain * bound
    assert float(block.expand.weight.abs().max()) <= gain * math.sqrt(6 / 640)
    assert float(block.real.value_encoding.abs().max()) == pytest.approx(0.0221, abs=2e-4)
    assert all(float(linear.bias.abs().max()) == 0.0 for linear in (block.query_key_value, block.output, block.expand))


def test_heads_that_cannot_be_laid_out_are_refused() -> None:
    with pytest.raises(ValueError, match="3 heads do not divide 16"):
        Crystalformer(dim=16, n_blocks=1, n_heads=3, feed_forward_dim=8)
    with pytest.raises(ValueError, match="split between two domains"):
        Crystalformer(dim=15, n_blocks=1, n_heads=3, feed_forward_dim=8, domain="multihead")


def test_dropout_acts_in_training_only() -> None:
    encoder = small(dropout=0.5, domain="multihead")
    batch = three_crystals()
    assert torch.equal(encoder(batch).pooled, encoder(batch).pooled)
    encoder.train()
    assert not torch.equal(encoder(batch).pooled, encoder(batch).pooled)
    torch.manual_seed(7)
    first = encoder(batch).pooled
    torch.manual_seed(7)
    assert torch.equal(encoder(batch).pooled, first)
