"""Weights of the published Crystalformer code, under the names it gives them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.graph.elements import N_ELEMENTS

_SWA_PREFIX = "swa_model.module."
_RENAMED = {
    "self_attn.in_proj_bias": "query_key_value.bias",
    "self_attn.out_proj.weight": "output.weight",
    "self_attn.out_proj.bias": "output.bias",
    "self_attn.gauss_scale": "width.gauss_scale",
    "linear1.weight": "expand.weight",
    "linear1.bias": "expand.bias",
    "linear2.weight": "contract.weight",
    "linear2.bias": "contract.bias",
    "norm1.weight": "attention_norm.weight",
    "norm1.bias": "attention_norm.bias",
    "norm2.weight": "feed_forward_norm.weight",
    "norm2.bias": "feed_forward_norm.bias",
}


@dataclass(frozen=True)
class PublishedShape:
    """The sizes that published weights tell: features, blocks, hidden features, radial functions (0: simplified)."""

    dim: int
    n_blocks: int
    feed_forward_dim: int
    n_radial: int
    normalized: bool


def published_shape(state_dict: Mapping[str, Tensor]) -> PublishedShape:
    """Read the sizes off the weights.

    Raises:
        ValueError: they are not those of a Crystalformer.
    """
    published = averaged(state_dict)
    layers = [int(name.split(".")[2]) for name in published if name.startswith("encoder.layers.")]
    radial = published.get("encoder.layers.0.self_attn.pe_dist_proj")
    return PublishedShape(
        dim=len(_take(published, "input_embeddings.weight")),
        n_blocks=1 + max(layers, default=-1),
        feed_forward_dim=len(_take(published, "encoder.layers.0.linear1.bias")),
        n_radial=0 if radial is None else radial.shape[-1],
        normalized="encoder.norm.weight" in published,
    )


def published_state(state_dict: Mapping[str, Tensor], n_heads: int, n_real_heads: Sequence[int]) -> dict[str, Tensor]:
    """Return the weights under the names of `Crystalformer`.

    Args:
        state_dict: of the published model; where it holds averaged weights (`swa_model.module.`), those are taken.
        n_heads: H.
        n_real_heads: how many of them sum in real space, for each block.

    Elements beyond the 98 of the published table get zero features.

    Raises:
        ValueError: a tensor is missing, or the model was never trained.
    """
    published = averaged(state_dict)
    table = _take(published, "input_embeddings.weight")  # (d, 98)
    state = {"element_table.weight": nn.functional.pad(table.T, (0, 0, 1, N_ELEMENTS - table.shape[1]))}
    state |= {n.removeprefix("encoder."): value for n, value in published.items() if n.startswith("encoder.norm.")}
    for index, n_real in enumerate(n_real_heads):
        prefix = f"encoder.layers.{index}."
        layer = {name.removeprefix(prefix): value for name, value in published.items() if name.startswith(prefix)}
        state |= {f"blocks.{index}.{name}": value for name, value in _convert_block(layer, n_heads, n_real).items()}
    return state


def head_from_published(state_dict: Mapping[str, Tensor]) -> nn.Sequential:
    """Build the published head, Linear - ReLU - Linear, from pooled features to the standardised targets.

    Raises:
        ValueError: a bias is missing.
    """
    published = averaged(state_dict)
    layers: list[nn.Module] = []
    names = [name for name in published if re.fullmatch(r"mlp\.\d+\.weight", name)]
    for name in sorted(names, key=lambda one: int(one.split(".")[1])):
        weight, bias = published[name], _take(published, name.replace("weight", "bias"))
        linear = nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
        linear.load_state_dict({"weight": weight, "bias": bias})
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def averaged(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the averaged weights where the state holds some, else all of it."""
    averaged = {name.removeprefix(_SWA_PREFIX): v for name, v in state_dict.items() if name.startswith(_SWA_PREFIX)}
    return averaged or dict(state_dict)


def _convert_block(layer: Mapping[str, Tensor], n_heads: int, n_real_heads: int) -> dict[str, Tensor]:
    """Rename and reshape the tensors of one block."""
    if not bool(_take(layer, "self_attn.gauss_scale").any()):
        raise ValueError("gauss_scale is not set: these weights come from a model that was never trained")
    block = {
        "query_key_value.weight": torch.cat([_take(layer, f"self_attn.{one}_proj_weight") for one in "qkv"]),
        "width.weight": _take(layer, "self_attn.lattice_pos_weights").view(n_heads, -1),
    }
    radial = layer.get("self_attn.pe_dist_proj")  # (1, H or 1, d_h, K)
    if radial is not None and n_real_heads:
        block["real.value_encoding"] = radial[0].expand(n_heads, -1, -1)[:n_real_heads]
    return block | {_RENAMED[name]: value for name, value in layer.items() if name in _RENAMED}


def _take(tensors: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in tensors:
        raise ValueError(f"the published weights lack {name}")
    return tensors[name]
