"""The DOS transformer that params.yaml describes."""

import torch

from models.dos.transformer import DosTransformer
from models.graph.batch import GraphEncoder
from models.graph.described import Described
from stages.shared.encoders import build_graph_encoder
from stages.shared.params import DosParams, Params
from stages.shared.training import seed_of


def build_model(params: Params, kind: str, embedding_dim: int) -> DosTransformer:
    """Return the untrained DOS transformer for the grid of this kind.

    Args:
        params: the sections `build_graphs`, `encoder`, `dos` and `dos_kinds`.
        kind: `phonon` or `electron`.
        embedding_dim: length of the precomputed embeddings; 0 for a graph tower that reads the structure.
    """
    torch.manual_seed(seed_of(params.dos.seed, 0, f"weights of {kind}"))
    n_bins = params.dos_kinds[kind].bins
    if params.dos.model == "published":
        return _published(params.dos, kind, n_bins)
    own = params.dos.transformer
    return DosTransformer(
        build_dos_encoder(params, embedding_dim),
        n_bins=n_bins,
        dim=params.dos.dim,
        n_layers=params.dos.n_layers,
        n_heads=own.n_heads,
        dropout=params.dos.dropout,
        attention=own.attention,
        energies=own.energies,
        n_global_inputs=len(params.dos.global_inputs),
    )


def build_dos_encoder(params: Params, embedding_dim: int) -> GraphEncoder:
    """Return the untrained graph tower of the corrected model; arguments as of `build_model`."""
    encoder = build_graph_encoder(params.encoder, params.build_graphs.cutoff, embedding_dim)
    return Described(encoder) if params.dos.transformer.descriptors else encoder


def _published(params: DosParams, kind: str, n_bins: int) -> DosTransformer:
    return DosTransformer.published(
        kind,
        n_bins=n_bins,
        dim=params.dim,
        n_graph_layers=params.published.n_graph_layers,
        n_layers=params.n_layers,
        dropout=params.dropout,
        n_global_inputs=len(params.global_inputs),
    )
