from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from models.graph.batch import CrystalBatch
from models.graph.crystalformer.model import Crystalformer
from models.graph.crystalformer.published import head_from_published
from tests.models.test_crystalformer import WindowCrystalformer

FILE = Path(__file__).parents[3] / "shared/parity/crystalformer/crystalformer.npz"
needs_parity = pytest.mark.skipif(not FILE.exists(), reason="outputs of the published code are not beside the project")


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    """What the published code read and gave, in double precision."""
    with np.load(FILE) as file:
        arrays = {name: torch.from_numpy(file[name]) for name in file.files}
    return {name: one.double() if one.is_floating_point() else one for name, one in arrays.items()}


def state(published: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix("state_dict/"): one for name, one in published.items() if name.startswith("state_dict/")}


def crystals(published: dict[str, Tensor]) -> CrystalBatch:
    lattice, batch = published["inputs/trans_vec"], published["inputs/batch"].long()
    no_edges = torch.zeros(0, dtype=torch.int64)
    return CrystalBatch(
        atomic_numbers=published["inputs/Z"].long(),
        frac_coords=(published["inputs/pos"][:, None] @ torch.linalg.inv(lattice)[batch]).squeeze(1),
        lattice=lattice,
        batch=batch,
        edge_source=no_edges,
        edge_target=no_edges,
        edge_image=torch.zeros(0, 3),
    )


@needs_parity
def test_with_the_published_window_outputs_and_gradients_are_the_published_ones(published: dict[str, Tensor]) -> None:
    expected = {name.removeprefix("cpu_R2.f64/"): one for name, one in published.items() if "cpu_R2.f64/" in name}
    encoder = WindowCrystalformer.from_published(state(published))
    head = head_from_published(state(published))
    attention_outputs = record_attention(encoder)
    features = encoder(crystals(published))
    out = head(features.pooled)
    assert float((out - expected["out"]).abs().max()) < 1e-9
    assert float((features.pooled - expected["acts/pooled"]).abs().max()) < 1e-9
    for index, found in enumerate(attention_outputs):
        assert float((found - expected[f"acts/layer{index}.attn_out"]).abs().max()) < 1e-9
    loss = 0.5 * (out - torch.linspace(-1, 1, 10, dtype=torch.float64)[:, None]).square().mean()
    assert float(loss) == pytest.approx(float(expected["loss"]), abs=1e-12)
    loss.backward()
    for name, found in gradients_by_published_name(encoder, head).items():
        reference = expected[f"grads/{name}"]
        assert float((found.view_as(reference) - reference).abs().max() / reference.abs().max()) < 1e-6, name


@needs_parity
def test_with_a_converged_sum_outputs_are_those_of_the_window_it_was_trained_with(published: dict[str, Tensor]) -> None:
    encoder = Crystalformer.from_published(state(published), image_tolerance=1e-9)
    out = head_from_published(state(published))(encoder(crystals(published)).pooled)
    assert float((out - published["cuda_window.f64/out"]).abs().max()) < 2e-6


@needs_parity
def test_averaged_weights_are_taken_where_there_are_some(published: dict[str, Tensor]) -> None:
    plain = state(published)
    checkpoint = {f"model.{name}": torch.zeros_like(one) for name, one in plain.items()}
    checkpoint |= {f"swa_model.module.{name}": one for name, one in plain.items()}
    found, expected = Crystalformer.from_published(checkpoint), Crystalformer.from_published(plain)
    assert all(torch.equal(one, expected.state_dict()[name]) for name, one in found.state_dict().items())


@needs_parity
@pytest.mark.parametrize("domain", ["multihead", "alternating", "reciprocal"])
def test_other_domains_keep_the_value_encoding_of_their_real_heads(published: dict[str, Tensor], domain: Any) -> None:
    encoder = Crystalformer.from_published(state(published), domain=domain)
    kept = [0 if block.real is None else len(block.real.value_encoding) for block in encoder.blocks]
    assert kept == {"multihead": [4] * 4, "alternating": [8, 0, 8, 0], "reciprocal": [0] * 4}[domain]


@needs_parity
def test_what_does_not_fit_is_said(published: dict[str, Tensor]) -> None:
    whole = state(published)
    without = {name: one for name, one in whole.items() if "q_proj" not in name}
    with pytest.raises(ValueError, match=r"lack self_attn\.q_proj_weight"):
        Crystalformer.from_published(without)
    untrained = whole | {"encoder.layers.0.self_attn.gauss_scale": torch.zeros(2)}
    with pytest.raises(ValueError, match="never trained"):
        Crystalformer.from_published(untrained)
    with pytest.raises(ValueError, match="do not fit"):
        Crystalformer.from_published(whole | {"encoder.layers.1.linear1.bias": torch.zeros(3)})


def record_attention(encoder: Crystalformer) -> list[Tensor]:
    """Collect what the attention of each block gives, as it is computed."""
    outputs: list[Tensor] = []
    for block in encoder.blocks:
        block.output.register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    return outputs


def gradients_by_published_name(encoder: Crystalformer, head: torch.nn.Sequential) -> dict[str, Tensor]:
    """The gradients of the first block and of the head, which are those on file."""
    block = encoder.blocks[0]
    q, k, v = block.query_key_value.weight.grad.chunk(3)
    attention = {
        "q_proj_weight": q,
        "k_proj_weight": k,
        "v_proj_weight": v,
        "in_proj_bias": block.query_key_value.bias.grad,
        "lattice_pos_weights": block.width.weight.grad,
        "pe_dist_proj": block.real.value_encoding.grad,
        "out_proj.weight": block.output.weight.grad,
        "out_proj.bias": block.output.bias.grad,
    }
    named = {f"encoder.layers.0.self_attn.{name}": grad for name, grad in attention.items()}
    for name, linear in (("linear1", block.expand), ("linear2", block.contract)):
        named |= {
            f"encoder.layers.0.{name}.weight": linear.weight.grad,
            f"encoder.layers.0.{name}.bias": linear.bias.grad,
        }
    for index, linear in ((0, head[0]), (3, head[2])):
        named |= {f"mlp.{index}.weight": linear.weight.grad, f"mlp.{index}.bias": linear.bias.grad}
    return named
