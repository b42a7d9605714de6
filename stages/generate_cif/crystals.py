"""From one raw row to one row of the table of crystals."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pymatgen.core import Structure

from stages.generate_cif.symmetry import find_symmetry, fingerprint
from stages.generate_cif.validity import faithful_cif, usable_structure
from stages.shared.schemas import SCALAR_PROPERTIES
from stages.shared.sources.record import BadRecord, CrystalRecord, RawRow, Reject, Spectrum, formula_and_units
from stages.shared.sources.registry import SOURCES


@dataclass(frozen=True)
class Crystal:
    """An accepted crystal: its columns of `CRYSTALS_SCHEMA` except the split, and how it came about.

    `files` names the raw files that gave a row each; `notes` what they held that could not be used; `own_properties`
    are the scalar properties that the schema does not have.
    """

    source: str
    source_id: str
    files: tuple[str, ...]
    columns: Mapping[str, Any]
    notes: tuple[str, ...]
    own_properties: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Rejection:
    """All raw rows behind one crystal that could not be accepted."""

    source: str
    source_id: str
    files: tuple[str, ...]
    reason: str


def crystal_from_row(row: RawRow | Reject, symmetry_tolerance: float, max_atoms: int) -> Crystal | Rejection:
    """Parse, check and describe one raw row; what the parser of the file already rejected passes through.

    Args:
        row: of any source.
        symmetry_tolerance: spglib's tolerance, Å.
        max_atoms: larger cells are rejected.
    """
    if isinstance(row, Reject):
        return Rejection(row.source, row.source_id, ("",), row.reason)
    files = tuple(row.parts)
    source_id = row.source_id
    try:
        record = SOURCES[row.source].parse(row)
        source_id = record.source_id
        structure = usable_structure(record.structure, max_atoms)
        structure_columns = describe_structure(structure, symmetry_tolerance)
    except BadRecord as error:
        return Rejection(row.source, error.source_id or source_id, files, str(error))
    properties, notes = plausible_properties(record.properties)
    columns = {
        "material_id": record.source_id,
        "source": row.source,
        "source_id": record.source_id,
        **structure_columns,
        **properties,
        "description": record.description,
        "narrative": record.narrative,
        "explanation": record.explanation,
        "questions": _json(record.questions) if record.questions else None,
        **_spectrum_columns(record),
    }
    own_properties = {name: value for name, value in record.properties.items() if name not in SCALAR_PROPERTIES}
    return Crystal(row.source, record.source_id, files, columns, (*record.notes, *notes), own_properties)


def describe_structure(structure: Structure, symmetry_tolerance: float) -> dict[str, Any]:
    """Return the columns that follow from the structure alone.

    Raises:
        BadRecord: spglib finds no symmetry, or a CIF cannot hold the structure.
    """
    symmetry = find_symmetry(structure, symmetry_tolerance)
    return {
        "formula": formula_and_units(structure.composition)[0],
        "cif": faithful_cif(structure),
        "n_atoms": len(structure),
        "space_group_number": symmetry.space_group_number,
        "space_group_symbol": symmetry.space_group_symbol,
        "crystal_system": symmetry.crystal_system,
        "density": float(structure.density),
        "volume_per_atom": structure.volume / len(structure),
        "fingerprint": fingerprint(structure, symmetry),
    }


def plausible_properties(
    properties: Mapping[str, float | None],
) -> tuple[dict[str, float | None], tuple[str, ...]]:
    """Return every scalar property, null where unknown, and a note for a negative band gap, which is null too.

    AFLOW writes negative gaps for metals and for failed calculations alike.
    """
    values = {name: properties.get(name) for name in SCALAR_PROPERTIES}
    gap = values["band_gap"]
    if gap is None or gap >= 0:
        return values, ()
    return values | {"band_gap": None}, (f"band_gap {gap:g} is negative and taken as unknown",)


def _json(questions: Mapping[str, Sequence[str]]) -> str:
    return json.dumps(questions, sort_keys=True, ensure_ascii=False)


def _spectrum_columns(record: CrystalRecord) -> dict[str, Any]:
    def column(spectrum: Spectrum | None, axis: bool) -> np.ndarray | None:
        if spectrum is None:
            return None
        return (spectrum.x if axis else spectrum.density).astype(np.float32)

    def by_element(projections: Mapping[str, np.ndarray] | None) -> dict[str, np.ndarray] | None:
        if projections is None:
            return None
        return {symbol: projections[symbol].astype(np.float32) for symbol in sorted(projections)}

    return {
        "edos_energy": column(record.edos, axis=True),
        "edos_density": column(record.edos, axis=False),
        "edos_projected": by_element(record.edos_projected),
        "phdos_frequency": column(record.phdos, axis=True),
        "phdos_density": column(record.phdos, axis=False),
        "phdos_projected": by_element(record.phdos_projected),
    }
