"""Which crystals of a gallery cannot be told apart and therefore answer for each other."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def duplicate_groups(fingerprints: Sequence[str | None], texts: Sequence[str]) -> NDArray[np.int64]:
    """Number the groups of crystals with the same structure or the same text, (n,) from 0.

    A text that fits two crystals word for word does not say which is meant, so either is a correct
    answer; so is either of two records of one structure. The relation is closed: if A and B share a
    text, and B and C a structure, all three are one group.

    Args:
        fingerprints: (n,) structure hashes; a crystal without one shares its structure with no other.
        texts: (n,) texts the crystals are asked by.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = len(texts)
    first_with: dict[tuple[str, str], int] = {}
    links = [
        (row, first_with.setdefault(key, row))
        for row, (fingerprint, text) in enumerate(zip(fingerprints, texts, strict=True))
        for key in [("text", text)] + ([("structure", fingerprint)] if fingerprint else [])
    ]
    rows, columns = np.array(links, dtype=np.int64).reshape(-1, 2).T
    linked = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(n, n))
    groups: NDArray[np.int64] = connected_components(linked, directed=False)[1].astype(np.int64)
    return groups
