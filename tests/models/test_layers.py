from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch_geometric.utils import scatter, softmax, to_dense_batch

from models import layers
from models.layers import (
    MultiHeadAttention,
    TransformerBlock,
    masked_mean,
    recomputed,
    row_parts,
    segment_mean,
    segment_sum,
    to_dense,
)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(), (3,), (3, 5)])
def test_segment_reductions_are_those_of_pytorch_geometric(shape: tuple[int, ...]) -> None:
    values = randn(20, *shape)
    segments = torch.randint(0, 6, (20,), generator=torch.Generator().manual_seed(1))
    segments[segments == 4] = 5  # leaves a segment empty
    for ours, reduce in ((segment_sum, "sum"), (segment_mean, "mean")):
        torch.testing.assert_close(ours(values, segments, 7), scatter(values, segments, dim_size=7, reduce=reduce))


def test_dense_layout_is_that_of_pytorch_geometric() -> None:
    batch = torch.tensor([0, 0, 0, 2, 2, 3])
    nodes = randn(6, 4)
    dense, mask = to_dense(nodes, batch, 5)
    expected, expected_mask = to_dense_batch(nodes, batch, batch_size=5)
    assert torch.equal(dense, expected)
    assert torch.equal(mask, expected_mask)


def test_masked_mean_ignores_padding_and_is_zero_where_all_is_padding() -> None:
    values = randn(2, 4, 3)
    values[0, 2:] = torch.nan
    mask = torch.tensor([[True, True, False, False], [False] * 4])
    expected = torch.stack([values[0, :2].mean(dim=0), torch.zeros(3, dtype=torch.float64)])
    torch.testing.assert_close(masked_mean(values, mask), expected)


@pytest.mark.parametrize(
    ("n_rows", "rows_per_part", "most"), [(10, 4, 4), (8, 4, 4), (3, 4, 3), (0, 4, 0), (640, 4, 10)]
)
def test_parts_are_all_rows_in_order(n_rows: int, rows_per_part: int, most: int) -> None:
    x, y = randn(n_rows, 3), torch.arange(n_rows)
    parts = list(row_parts(x, None, y, rows_per_part=rows_per_part))
    assert torch.equal(torch.cat([part[0] for part in parts]), x)
    assert torch.equal(torch.cat([part[2] for part in parts]), y)
    assert all(part[1] is None and len(part[0]) == len(part[2]) for part in parts)
    assert max(len(part[0]) for part in parts) == most


@pytest.mark.parametrize("random", [False, True])
def test_what_is_recomputed_has_the_same_value_and_gradient_and_keeps_its_inputs_alone(random: bool) -> None:
    x = randn(5, 4).requires_grad_()

    def function(x: Tensor) -> Tensor:
        return nn.functional.dropout(x.exp().sin(), 0.5 if random else 0.0).cos()

    results, n_saved = [], []
    for call in (function, lambda x: recomputed(function, x, random=random)):
        torch.manual_seed(0)
        saved: list[Tensor] = []
        with torch.autograd.graph.saved_tensors_hooks(partial(_note, saved), _same):
            value = call(x)
        results.append((value, *torch.autograd.grad(value.sum(), x)))
        n_saved.append(len(saved))
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=0)
    assert n_saved[1] < n_saved[0]


def _note(saved: list[Tensor], tensor: Tensor) -> Tensor:
    saved.append(tensor)
    return tensor


def _same(tensor: Tensor) -> Tensor:
    return tensor


@pytest.fixture
def attention() -> MultiHeadAttention:
    torch.manual_seed(0)
    return MultiHeadAttention(dim=12, n_heads=3).double()


@pytest.mark.parametrize("most_explicit", [0, 35])
def test_attention_is_that_of_torch(
    attention: MultiHeadAttention, most_explicit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "_MOST_EXPLICIT_WEIGHTS", most_explicit)  # either way to compute it
    reference = nn.MultiheadAttention(12, 3, batch_first=True, dtype=torch.float64)
    _copy_attention(attention, reference)
    queries, keys = randn(2, 5, 12), randn(2, 7, 12, seed=1)
    key_mask = torch.arange(7) < torch.tensor([[7], [4]])
    expected, weights = reference(queries, keys, keys, key_padding_mask=~key_mask, average_attn_weights=False)
    torch.testing.assert_close(attention(queries, keys, key_mask), expected)
    torch.testing.assert_close(attention.weights(queries, keys, key_mask), weights)


def test_masked_attention_is_a_softmax_over_each_segment(attention: MultiHeadAttention) -> None:
    batch = torch.tensor([0, 0, 0, 1, 1])
    atoms, query = randn(5, 12), randn(1, 1, 12, seed=1)
    dense, mask = to_dense(atoms, batch, 2)
    q = attention.query(query).view(1, 3, 4)
    k = attention.key_value(atoms)[:, :12].view(5, 3, 4)
    segment_weights = softmax((q * k).sum(-1) / 2.0, batch)  # (5, heads), by pytorch_geometric
    weights = attention.weights(query.expand(2, -1, -1), dense, mask)  # (2, heads, 1, 3)
    torch.testing.assert_close(weights[:, :, 0].transpose(1, 2)[mask], segment_weights)


@pytest.mark.parametrize("most_explicit", [0, 12])
def test_a_query_without_any_key_is_finite_with_finite_gradients(
    attention: MultiHeadAttention, most_explicit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "_MOST_EXPLICIT_WEIGHTS", most_explicit)
    queries, keys = randn(2, 3, 12).requires_grad_(), randn(2, 4, 12, seed=1).requires_grad_()
    key_mask = torch.tensor([[False] * 4, [True] * 4])
    output = attention(queries, keys, key_mask)
    output.sum().backward()
    torch.testing.assert_close(output[0], attention.output.bias.expand(3, -1))
    assert keys.grad is not None
    assert (keys.grad[0] == 0).all()
    assert keys.grad.isfinite().all()
    assert (attention.weights(queries, keys, key_mask)[0] == 0).all()


def test_heads_that_do_not_divide_the_dimension_are_refused() -> None:
    with pytest.raises(ValueError, match="does not divide"):
        MultiHeadAttention(dim=10, n_heads=4)


def test_self_attention_block_is_the_pre_norm_encoder_layer_of_torch() -> None:
    torch.manual_seed(0)
    block = TransformerBlock(dim=12, n_heads=3).double()
    reference = nn.TransformerEncoderLayer(
        12, 3, 48, dropout=0.0, activation="gelu", batch_first=True, norm_first=True, dtype=torch.float64
    )
    _copy_attention(block.attention, reference.self_attn)
    norm, first, _, second = block.feed_forward
    for ours, theirs in (
        (block.query_norm, reference.norm1),
        (norm, reference.norm2),
        (first, reference.linear1),
        (second, reference.linear2),
    ):
        theirs.load_state_dict(ours.state_dict())
    x, mask = randn(2, 5, 12), torch.arange(5) < torch.tensor([[5], [3]])
    expected = reference(x, src_key_padding_mask=~mask)
    torch.testing.assert_close(block(x, key_mask=mask)[mask], expected[mask])


def test_a_cross_attention_block_needs_keys() -> None:
    with pytest.raises(ValueError, match="needs keys"):
        TransformerBlock(dim=4, n_heads=1, cross=True)(torch.zeros(1, 2, 4))


def _copy_attention(attention: MultiHeadAttention, reference: nn.MultiheadAttention) -> None:
    with torch.no_grad():
        reference.in_proj_weight.copy_(torch.cat([attention.query.weight, attention.key_value.weight]))
        reference.in_proj_bias.copy_(torch.cat([attention.query.bias, attention.key_value.bias]))
    reference.out_proj.load_state_dict(attention.output.state_dict())
