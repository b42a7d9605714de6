import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from models.fusion import (
    CrossAttentionFusion,
    FusionPrediction,
    FusionRegressor,
    draw_modalities,
    fusion_loss,
)
from models.graph.batch import CrystalBatch
from models.graph.painn.model import PaiNN
from models.text.byte_transformer import ByteTransformer
from models.text.tokens import TextTokens
from tests.models.crystals import CUTOFF, crystal, isolated_atom, three_crystals, triclinic
from tests.models.texts import tokenize

TEXTS = ("CdAgSb is half-Heusler", "argon", "the bond length is 2.92 Å")
BRANCHES = ("fused", "structure", "text")


def tokens(*texts: str) -> TextTokens:
    return tokenize(texts or TEXTS, 16, 8)


@pytest.fixture(params=["cross_attention", "concat"])
def model(request: pytest.FixtureRequest) -> FusionRegressor:
    torch.manual_seed(0)
    return (
        FusionRegressor(
            PaiNN(8, 2, 4, CUTOFF),
            ByteTransformer(6, 1, 2, 16, 8, 4, 0.0),
            fusion=request.param,
            dim=8,
            n_heads=2,
            dropout=0.1,
        )
        .double()
        .eval()
    )


def assert_same(one: FusionPrediction, other: FusionPrediction) -> None:
    for branch in BRANCHES:
        torch.testing.assert_close(getattr(one, branch), getattr(other, branch), rtol=1e-9, atol=1e-12)


def test_what_else_is_in_the_batch_changes_nothing(model: FusionRegressor) -> None:
    together = model(three_crystals(), tokens())
    parts = [crystal(*triclinic(1)), isolated_atom(), crystal(*triclinic(2, n_atoms=2))]
    alone = [model(part, tokens(text)) for part, text in zip(parts, TEXTS, strict=True)]
    for branch in BRANCHES:
        expected = torch.cat([getattr(prediction, branch) for prediction in alone])
        torch.testing.assert_close(getattr(together, branch), expected, rtol=1e-9, atol=1e-12)
        assert getattr(together, branch).shape == (3, 1)


def test_both_modalities_reach_the_fused_branch(model: FusionRegressor) -> None:
    batch = three_crystals()
    prediction = model(batch, tokens())
    other_text = model(batch, tokens(*reversed(TEXTS)))
    other_structure = model(dataclasses.replace(batch, lattice=1.05 * batch.lattice), tokens())
    assert (other_text.fused[0] - prediction.fused[0]).abs() > 1e-6
    assert (other_structure.fused[0] - prediction.fused[0]).abs() > 1e-6
    torch.testing.assert_close(other_text.structure, prediction.structure)
    torch.testing.assert_close(other_structure.text, prediction.text)


def test_nothing_of_a_dropped_structure_is_left(model: FusionRegressor) -> None:
    keep = torch.tensor([False, True, True])
    batch = three_crystals()
    other_first = CrystalBatch.concatenate(
        [crystal(*triclinic(9, n_atoms=3)), isolated_atom(), crystal(*triclinic(2, n_atoms=2))]
    )
    assert_same(model(other_first, tokens(), keep_structure=keep), model(batch, tokens(), keep_structure=keep))


def test_no_gradient_reaches_a_dropped_structure(model: FusionRegressor) -> None:
    batch = three_crystals()
    frac_coords, lattice = batch.frac_coords.clone().requires_grad_(), batch.lattice.clone().requires_grad_()
    moved = dataclasses.replace(batch, frac_coords=frac_coords, lattice=lattice)
    prediction = model(moved, tokens(), keep_structure=torch.tensor([False, True, True]))
    (prediction.fused + prediction.structure + prediction.text).sum().backward()
    assert frac_coords.grad is not None
    assert lattice.grad is not None
    assert (frac_coords.grad[batch.batch == 0] == 0).all()
    assert (lattice.grad[0] == 0).all()
    assert (frac_coords.grad[batch.batch == 2] != 0).any()


def test_nothing_of_a_dropped_text_is_left(model: FusionRegressor) -> None:
    keep = torch.tensor([False, True, True])
    other = tokens("something else, and much longer", *TEXTS[1:])
    prediction = model(three_crystals(), tokens(), keep_text=keep)
    assert_same(model(three_crystals(), other, keep_text=keep), prediction)
    assert prediction.has_text.tolist() == [False, True, True]


def test_an_empty_text_is_a_dropped_text(model: FusionRegressor) -> None:
    empty = model(three_crystals(), tokens("", *TEXTS[1:]))
    dropped = model(three_crystals(), tokens(), keep_text=torch.tensor([False, True, True]))
    assert_same(empty, dropped)
    assert empty.has_text.tolist() == [False, True, True]
    assert empty.has_structure.all()


def test_crystals_without_any_text_have_finite_predictions_and_gradients(model: FusionRegressor) -> None:
    prediction = model(three_crystals(), tokens("", "", ""))
    loss = fusion_loss(prediction, torch.ones(3, 1, dtype=torch.float64), (1.0, 1.0, 1.0))
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


def test_every_parameter_gets_a_gradient(model: FusionRegressor) -> None:
    keep_structure, keep_text = torch.tensor([True, False, True]), torch.tensor([False, True, True])
    prediction = model(three_crystals(), tokens(), keep_structure, keep_text)
    (prediction.fused + prediction.structure + prediction.text).sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_cross_attention_ignores_padding() -> None:
    torch.manual_seed(0)
    fusion = CrossAttentionFusion(dim=8, n_heads=2, dropout=0.0).double()
    atoms, words = torch.randn(2, 1, 3, 8, dtype=torch.float64)
    full = torch.ones(1, 3, dtype=torch.bool)
    padded = fusion(
        F.pad(atoms, (0, 0, 0, 2), value=5.0),
        F.pad(full, (0, 2)),
        F.pad(words, (0, 0, 0, 4), value=7.0),
        F.pad(full, (0, 4)),
    )
    torch.testing.assert_close(padded, fusion(atoms, full, words, full))


def test_unknown_fusion_is_refused() -> None:
    with pytest.raises(ValueError, match="'sum'"):
        FusionRegressor(PaiNN(8, 1, 4, CUTOFF), ByteTransformer(6, 1, 2, 16, 8, 4, 0.0), "sum", 8, 2, 0.0)


def test_draws_have_the_asked_rates_and_never_drop_both() -> None:
    keep_structure, keep_text = draw_modalities(20_000, 0.2, 0.3, np.random.RandomState(0))
    assert (keep_structure | keep_text).all()
    # five standard deviations of a binomial rate
    assert (~keep_structure).double().mean().item() == pytest.approx(0.2, abs=5 * (0.16 / 20_000) ** 0.5)
    assert (~keep_text).double().mean().item() == pytest.approx(0.3, abs=5 * (0.21 / 20_000) ** 0.5)


def test_draws_repeat_with_the_seed() -> None:
    one, other = (draw_modalities(50, 0.3, 0.3, np.random.RandomState(7)) for _ in range(2))
    assert torch.equal(one[0], other[0])
    assert torch.equal(one[1], other[1])


@pytest.mark.parametrize(("structure_dropout", "text_dropout"), [(-0.1, 0.5), (0.6, 0.5)])
def test_impossible_rates_are_refused(structure_dropout: float, text_dropout: float) -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        draw_modalities(4, structure_dropout, text_dropout, np.random.RandomState(0))


def prediction_of(has_structure: list[bool], has_text: list[bool], n_targets: int = 1) -> FusionPrediction:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(3, len(has_text), n_targets, generator=generator, dtype=torch.float64)
    fused, structure, text = values
    return FusionPrediction(fused, structure, text, torch.tensor(has_structure), torch.tensor(has_text))


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("l1", lambda e: e.abs()),
        ("mse", lambda e: e**2),
        ("smooth_l1", lambda e: torch.where(e.abs() < 1, e**2 / 2, e.abs() - 0.5)),
    ],
)
def test_loss_leaves_dropped_modalities_out_of_their_branch(name: str, reference: Callable[[Tensor], Tensor]) -> None:
    prediction = prediction_of([True, False, True], [True, True, False])
    target = torch.tensor([[0.5], [-1.0], [3.0]], dtype=torch.float64)
    fused, structure, text = (reference(getattr(prediction, branch) - target) for branch in BRANCHES)
    expected = (1.0 * fused.mean() + 0.5 * structure[[0, 2]].mean() + 0.25 * text[:2].mean()) / 1.75
    torch.testing.assert_close(fusion_loss(prediction, target, (1.0, 0.5, 0.25), name), expected)


REFERENCES: dict[str, Callable[[float], float]] = {
    "l1": abs,
    "mse": lambda error: error**2,
    "smooth_l1": lambda error: error**2 / 2 if abs(error) < 1 else abs(error) - 0.5,
}


@pytest.mark.parametrize("name", REFERENCES)
def test_the_loss_of_several_targets_with_gaps_is_that_of_a_loop(name: str) -> None:
    has_structure, has_text = [True, False, True, True], [True, True, False, True]
    prediction = prediction_of(has_structure, has_text, n_targets=3)
    gap = float("nan")
    target = torch.tensor([[0.5, gap, 2.0], [-1.0, 0.1, 0.2], [gap, gap, 1.5], [gap, -0.7, gap]], dtype=torch.float64)
    expected = 0.0
    for branch, weight, seen in zip(BRANCHES, (1.0, 0.5, 0.25), ([True] * 4, has_structure, has_text), strict=True):
        crystals = [row for row in range(4) if seen[row]]
        for row in crystals:
            for column in range(3):
                true = target[row, column].item()
                if true == true:
                    error = getattr(prediction, branch)[row, column].item() - true
                    expected += weight * REFERENCES[name](error) / len(crystals)
    found = fusion_loss(prediction, target, (1.0, 0.5, 0.25), name)
    assert found.item() == pytest.approx(expected / 1.75, rel=1e-12)


def test_an_unknown_value_sends_no_gradient_back() -> None:
    prediction = prediction_of([True] * 2, [True] * 2, n_targets=2)
    prediction.fused.requires_grad_()
    target = torch.tensor([[0.5, float("nan")], [float("nan"), 0.5]], dtype=torch.float64)
    fusion_loss(prediction, target, (1.0, 1.0, 1.0)).backward()
    assert prediction.fused.grad is not None
    assert torch.equal(prediction.fused.grad != 0, ~target.isnan())


def test_targets_learned_together_share_all_but_the_last_layer_of_the_heads() -> None:
    def size(n_targets: int) -> int:
        towers = PaiNN(8, 1, 4, CUTOFF), ByteTransformer(6, 1, 2, 16, 8, 4, 0.0)
        model = FusionRegressor(*towers, "concat", 8, 2, 0.0, n_targets).double()
        assert model(three_crystals(), tokens()).text.shape == (3, n_targets)
        return sum(parameter.numel() for parameter in model.parameters())

    assert size(3) - size(1) == 3 * 2 * (8 + 1)  # three heads, two more outputs each: eight weights and a bias


def test_a_branch_that_nobody_sees_costs_nothing() -> None:
    prediction = prediction_of([True] * 3, [False] * 3)
    target = torch.zeros(3, 1, dtype=torch.float64)
    expected = (prediction.fused.abs().mean() + prediction.structure.abs().mean()) / 3
    torch.testing.assert_close(fusion_loss(prediction, target, (1.0, 1.0, 1.0), "l1"), expected)


@pytest.mark.parametrize("weights", [(1.0, 0.0, 0.0), (1.0, 1.0, -1.0)])
def test_weights_that_are_not_positive_are_refused(weights: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="positive"):
        fusion_loss(prediction_of([True] * 3, [True] * 3), torch.zeros(3, 1), weights)


def test_an_unknown_loss_is_refused() -> None:
    with pytest.raises(ValueError, match="'rmse'"):
        fusion_loss(prediction_of([True] * 3, [True] * 3), torch.zeros(3, 1), (1.0, 1.0, 1.0), "rmse")
