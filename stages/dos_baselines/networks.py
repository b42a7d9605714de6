"""The four baselines by name: what looks at the crystal, and whether the head knows of energies."""

import torch

from models.dos.baselines import AtomEncoder, EnergyHead, SpectrumBaseline, VectorHead
from models.dos.tokens import EnergyTokens
from stages.shared.encoders import build_graph_encoder
from stages.shared.params import Params
from stages.shared.training import seed_of

NETWORKS = ("mlp", "mlp_energies", "graph_network", "graph_network_energies")
"""As columns of `DOS_BASELINES_SCHEMA`; `energies` stands for a head with an energy embedding."""


def build_network(name: str, params: Params, kind: str, embedding_dim: int) -> SpectrumBaseline:
    """Return one of `NETWORKS`, untrained, for the grid of this kind.

    The graph network has the graph tower of the DOS transformer, the MLP atoms of the same width without edges.

    Args:
        name: of `NETWORKS`.
        params: the sections `build_graphs`, `encoder`, `dos` and `dos_kinds`.
        kind: `phonon` or `electron`.
        embedding_dim: length of the precomputed embeddings; 0 for a graph tower that reads the structure.
    """
    torch.manual_seed(seed_of(params.dos.seed, 0, f"weights of {name} for {kind}"))
    dim, n_bins = params.dos.dim, params.dos_kinds[kind].bins
    if name.startswith("graph_network"):
        embedder = build_graph_encoder(params.encoder, params.build_graphs.cutoff, embedding_dim)
    else:
        embedder = AtomEncoder(params.encoder.dim, params.encoder.pooling)
    head = EnergyHead(EnergyTokens(n_bins, dim), dim) if name.endswith("energies") else VectorHead(dim, n_bins)
    return SpectrumBaseline(embedder, head, dim)
