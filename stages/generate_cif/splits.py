"""Train, val and test as a pure function of a crystal: adding or removing crystals never moves another one."""

import hashlib


def split_of(group: str, seed: int, train: float, val: float) -> str:
    """Return 'train', 'val' or 'test' for a group of crystals that must stay together.

    The SHA-256 digest of seed and group gives a number in [0, 1); below `train` the group trains, in the next `val` it
    validates, the rest tests. The fractions hold on average over groups.

    Args:
        group: what the crystals have in common, for example their reduced formula.
        seed: another seed gives another, equally good split.
        train: fraction of groups for training.
        val: fraction of groups for validation.
    """
    digest = hashlib.sha256(f"{seed}:{group}".encode()).digest()
    position = int.from_bytes(digest[:8], "big") / 2**64
    if position < train:
        return "train"
    return "val" if position < train + val else "test"


def split_group(scheme: str, material_id: str, formula: str) -> str:
    """Return the group key of a crystal: its reduced formula (`formula`) or its id (`random`, row by row)."""
    return {"formula": formula, "random": material_id}[scheme]
