"""Ask for the embedding of every crystal and keep account of those that get none."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.embed.chgnet import load_chgnet
from stages.embed.embedder import CrystalEntry, Embedder, NoEmbedding
from stages.embed.equiformer_v2 import load_equiformer_v2
from stages.embed.files import FileEmbedder
from stages.embed.orb import load_orb
from stages.shared.progress import progress, say

MODELS = ("chgnet", "orb", "equiformer_v2")
"""The models that can be run here; `files` reads what was made elsewhere."""


@dataclass(frozen=True)
class Embedded:
    """Every crystal is in one of the two, both sorted by material_id.

    Attributes:
        embeddings: (embedding_dim,) each.
        reasons: why the others have none.
    """

    embeddings: dict[str, NDArray[np.float32]]
    reasons: dict[str, str]


def load_embedder(model: str, directory: Path) -> Embedder:
    """Return the source of embeddings by the name params.yaml gives it.

    Args:
        model: one of `MODELS`, or `files`.
        directory: holds the files, or the weights of models that do not come with their own.

    Raises:
        StageError: its package, its weights or its files are missing.
    """
    if model == "chgnet":
        return load_chgnet()
    if model == "orb":
        return load_orb(directory)
    if model == "equiformer_v2":
        return load_equiformer_v2(directory)
    files = FileEmbedder(directory)
    say(f"{directory}: embeddings of {len(files.material_ids)} crystals")
    return files


def embed_all(embedder: Embedder, crystals: Sequence[CrystalEntry]) -> Embedded:
    """Return the embedding of every crystal, or the reason why it has none.

    Embeddings that are not finite, and those whose length is not that of most others, count as none.

    Args:
        embedder: the source.
        crystals: in any order, each once.
    """
    embeddings: dict[str, NDArray[np.float32]] = {}
    reasons: dict[str, str] = {}
    ordered = sorted(crystals, key=lambda crystal: crystal.material_id)
    for crystal in progress(ordered, "embed", total=len(ordered)):
        try:
            embeddings[crystal.material_id] = _checked(embedder.embed(crystal))
        except NoEmbedding as reason:
            reasons[crystal.material_id] = str(reason)
    lengths = Counter(len(embedding) for embedding in embeddings.values())
    usual = max(lengths, key=lambda length: (lengths[length], length), default=0)
    for material_id in [name for name, embedding in embeddings.items() if len(embedding) != usual]:
        n_numbers = len(embeddings.pop(material_id))
        reasons[material_id] = f"its embedding has {n_numbers} numbers, where most others have {usual}"
    return Embedded(embeddings, dict(sorted(reasons.items())))


def _checked(embedding: NDArray[np.float32]) -> NDArray[np.float32]:
    if embedding.size == 0:
        raise NoEmbedding("its embedding is empty")
    if not np.isfinite(embedding).all():
        raise NoEmbedding("its embedding holds numbers that are not finite")
    return embedding
