"""Weights of the published DOSTransformer code, under the names it gives them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

_RENAMED = (  # in order; the whole of a name is rewritten piece by piece
    (r"^embeddings\.weight$", "energies.table"),
    (r"^promp?t_token\.", "prompts."),  # electrons have the misspelt one
    (r"^GN_encoder\.global_encoder\.", "global_encoder."),
    (r"^GN_encoder\.(node|edge)_encoder\.", r"graph_encoder.\1_encoder."),
    (r"^stacked_processor\.(\d+)\.edge_model\.edge_mlp\.0\.", r"graph_encoder.layers.\1.edge_expand."),
    (r"^stacked_processor\.(\d+)\.edge_model\.edge_mlp\.1\.", r"graph_encoder.layers.\1.edge_norm."),
    (r"^stacked_processor\.(\d+)\.edge_model\.edge_mlp\.2\.", r"graph_encoder.layers.\1.edge_activation."),
    (r"^stacked_processor\.(\d+)\.edge_model\.edge_mlp\.3\.", r"graph_encoder.layers.\1.edge_contract."),
    (r"^stacked_processor\.(\d+)\.node_model\.node_mlp_2\.", r"graph_encoder.layers.\1.node_mlp."),
    (r"^transformer\.", "gather."),
    (r"^transformer_self\.", "mix."),
    (r"^transformer_source\.", "refine."),
    (r"^(gather|mix|refine)\.layers\.", r"\1.blocks."),
    (r"\.layer_norms\.0\.", ".norm."),
    (r"\.layer_norms\.1\.", ".feed_forward_norm."),
    (r"\.layer_norm\.", ".norm."),
    (r"\.fc1\.", ".expand."),
    (r"\.fc2\.", ".contract."),
    (r"^GN_decoder\.mlp\.0\.", "crystal_map."),
    (r"^out_layer\.", "output."),
    (r"^fc\.", "fuse_global."),
    (r"^fc_prompt\.", "fuse_system."),
)
_NEVER_USED = re.compile(r"\.version$|\.self_attn\.|\.node_mlp_1\.|^alpha$")


@dataclass(frozen=True)
class PublishedShape:
    """The sizes that published weights tell: bins, features, layers of graph network and transformers, other inputs."""

    n_bins: int
    dim: int
    n_graph_layers: int
    n_layers: int
    n_global_inputs: int


def published_name(name: str) -> str | None:
    """Return the name in `DosTransformer` of a published tensor; None for one that never had a gradient."""
    if _NEVER_USED.search(name):
        return None
    for pattern, replacement in _RENAMED:
        name = re.sub(pattern, replacement, name)
    return name


def published_state(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights under the names of `DosTransformer`, without those that are never used.

    29 % of the published parameters never receive a gradient: maps of queries, keys, values and outputs, one MLP of
    each graph layer, and a number `alpha`.
    """
    renamed = {published_name(name): tensor for name, tensor in state_dict.items()}
    return {name: tensor for name, tensor in renamed.items() if name is not None}


def published_shape(state_dict: Mapping[str, Tensor]) -> PublishedShape:
    """Read the sizes off the weights.

    Raises:
        ValueError: they are not those of a DOSTransformer.
    """
    state = published_state(state_dict)
    for name in ("energies.table", "output.weight"):
        if name not in state:
            raise ValueError(f"these are no weights of a published DOSTransformer: nothing gives {name}")
    global_map = state.get("global_encoder.0.weight")
    n_bins, dim = state["energies.table"].shape
    return PublishedShape(
        n_bins=n_bins,
        dim=dim,
        n_graph_layers=_count(state, r"graph_encoder\.layers\.(\d+)\."),
        n_layers=_count(state, r"gather\.blocks\.(\d+)\."),
        n_global_inputs=0 if global_map is None else global_map.shape[1],
    )


def _count(state: Mapping[str, Tensor], pattern: str) -> int:
    """Count the layers whose tensors have names that begin with the pattern."""
    found = (re.match(pattern, name) for name in state)
    return 1 + max((int(one.group(1)) for one in found if one), default=-1)
