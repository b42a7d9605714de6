"""Galleries of crystals with one text each, and how every query of them is ranked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stages.zero_shot.duplicates import duplicate_groups
from stages.zero_shot.retrieval import Ranks, draw_pools, gallery_ranks, pool_ranks

if TYPE_CHECKING:
    import pandas as pd

GALLERIES = {
    "main": ("original", "robocrystallographer"),
    "robocrystallographer": ("robocrystallographer",),
}
"""Which view is a crystal's text: the first of these that it has. `main` is the headline."""

DIRECTIONS = ("text_to_crystal", "crystal_to_text")
WHOLE = "whole"

ZERO_SHOT_SCHEMA = pa.schema(
    [
        pa.field("material_id", pa.string()),
        pa.field("gallery", pa.string()),
        pa.field("direction", pa.string()),
        pa.field("pool", pa.string()),
        pa.field("rank", pa.float64()),
        pa.field("n", pa.int32()),
        pa.field("n_correct", pa.int32()),
    ]
)
"""One row per query; `pool` is `whole` or `pool_<size>`, `rank` the expected rank of the best of `n_correct` right
answers among `n` candidates."""


@dataclass(frozen=True)
class Gallery:
    """The crystals of the test split that have a text of the wanted kind.

    Args:
        rows: (n,) rows of the crystals in the list the gallery was made from.
        texts: (n,) one text per crystal.
        groups: (n,) crystals with the same number are right answers for each other.
    """

    rows: NDArray[np.int64]
    texts: list[str]
    groups: NDArray[np.int64]


def build_gallery(crystals: "pd.DataFrame", narratives: "pd.DataFrame", views: Sequence[str]) -> Gallery:
    """Choose each crystal's text and leave out the crystals that have none.

    Args:
        crystals: columns `material_id` and `fingerprint`, one row per crystal with an embedding.
        narratives: columns `material_id`, `view`, `text`.
        views: in order of preference.
    """
    text_of: dict[str, str] = {}
    for view in reversed(views):
        chosen = narratives[narratives["view"] == view]
        text_of |= dict(zip(chosen["material_id"], chosen["text"], strict=True))
    has_text = crystals["material_id"].isin(text_of.keys()).to_numpy(dtype=bool)
    kept = crystals[has_text]
    texts = [text_of[material_id] for material_id in kept["material_id"]]
    return Gallery(np.flatnonzero(has_text), texts, duplicate_groups(kept["fingerprint"].tolist(), texts))


def rank_queries(
    crystals: NDArray[np.floating],
    texts: NDArray[np.floating],
    groups: NDArray[np.int64],
    pool_sizes: Sequence[int],
    seed: int,
) -> dict[str, dict[str, Ranks | None]]:
    """Ask every text for its crystal and every crystal for its text.

    Args:
        crystals: (n, dim) L2-normalised embeddings.
        texts: (n, dim) L2-normalised; row i describes crystal i.
        groups: (n,) from `duplicate_groups`.
        pool_sizes: sizes of the N-way pools beside the whole gallery; both directions share the pools.
        seed: of the pools.

    Returns:
        ranks by direction and pool (`whole`, `pool_<size>`); `None` where the gallery is smaller than the pool.
    """
    pools = {f"pool_{size}": draw_pools(groups, size, seed) for size in pool_sizes}
    ranks: dict[str, dict[str, Ranks | None]] = {}
    for direction, queries, candidates in zip(DIRECTIONS, (texts, crystals), (crystals, texts), strict=True):
        ranks[direction] = {WHOLE: gallery_ranks(queries, candidates, groups)}
        for name, rows in pools.items():
            ranks[direction][name] = None if rows is None else pool_ranks(queries, candidates, rows)
    return ranks


def ranks_table(
    crystals: "pd.DataFrame",
    galleries: Mapping[str, Gallery],
    ranks: Mapping[str, Mapping[str, Mapping[str, Ranks | None]]],
) -> dict[str, list[object]]:
    """Return the columns of `ZERO_SHOT_SCHEMA`, sorted by material_id.

    Args:
        crystals: column `material_id`; the list the galleries were made from.
        galleries: by name.
        ranks: by gallery, direction and pool.
    """
    rows = [
        (material_id, gallery, direction, pool, rank, n, n_correct)
        for gallery, by_direction in ranks.items()
        for material_ids in [crystals["material_id"].iloc[galleries[gallery].rows]]
        for direction, by_pool in by_direction.items()
        for pool, one in by_pool.items()
        if one is not None
        for material_id, rank, n, n_correct in zip(material_ids, one.rank, one.n_candidates, one.n_correct, strict=True)
    ]
    rows.sort(key=lambda row: row[:4])
    return {name: [row[place] for row in rows] for place, name in enumerate(ZERO_SHOT_SCHEMA.names)}
