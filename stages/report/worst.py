"""Where a model is worst: its largest errors, and its mean error in each crystal system."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.crystal_systems import CRYSTAL_SYSTEMS

N_WORST = 10


@dataclass(frozen=True)
class Crystal:
    """What the page says of a crystal."""

    formula: str
    system: str


def worst(errors: Mapping[str, float]) -> list[str]:
    """Return the ids of the ten crystals with the largest error, the largest first; equal ones by id.

    An error that is not a number is the largest of all.
    """
    size = {material_id: math.inf if math.isnan(error) else error for material_id, error in errors.items()}
    return sorted(size, key=lambda material_id: (-size[material_id], material_id))[:N_WORST]


def by_crystal_system(errors: Mapping[str, float], crystals: Mapping[str, Crystal]) -> list[tuple[str, int, float]]:
    """Return name, number of crystals and mean error of each crystal system that occurs.

    Args:
        errors: by material_id.
        crystals: by material_id.
    """
    groups: dict[str, list[float]] = {system: [] for system in CRYSTAL_SYSTEMS}
    for material_id, error in errors.items():
        groups[crystals[material_id].system].append(error)
    return [(system, len(values), float(np.mean(values))) for system, values in groups.items() if values]


def columns(rows: Sequence[Mapping[str, str]], name: str) -> dict[str, float]:
    """Return a column of a table with a `material_id`, by material_id."""
    return {row["material_id"]: float(row[name]) for row in rows}
