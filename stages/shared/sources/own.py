"""Your own crystals: files of structures beside tables of labels, or tables that hold both.

- A structure a file (`.cif`; `.vasp`, `.poscar` or `POSCAR_…`) or several (`.xyz`, `.extxyz`), called after the file;
  labels in any `.csv` with the columns `id`, perhaps `formula` and `description`, and one column for each property.
- `.jsonl` (one object a line) or `.parquet` with the same columns and `structure`: pymatgen's `Structure.as_dict`, the
  same as JSON text, or a CIF text. Such a row may have spectra, with the names and units of `CRYSTALS_SCHEMA`.

`.csv` and `.jsonl` may be compressed, as `.csv.gz` and so on. A property of `SCALAR_PROPERTIES` is in the unit given
there; any other one becomes a column of its own in the table of crystals.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from pymatgen.core import Composition, Structure

from stages.shared.schemas import CRYSTALS_SCHEMA, SCALAR_PROPERTIES
from stages.shared.sources.own_files import ID_COLUMNS, SOURCE, kind_of, rows
from stages.shared.sources.projections import Projections, projections_of
from stages.shared.sources.pymatgen_structure import pymatgen_structure
from stages.shared.sources.record import (
    BadRecord,
    CrystalRecord,
    Fields,
    RawRow,
    Spectrum,
    formula_and_units,
    is_missing,
    shortened,
    spectrum_of,
)
from stages.shared.sources.structure_files import READERS, read_cif

__all__ = ["FILE_PATTERNS", "SOURCE", "parse", "rows"]

FILE_PATTERNS: tuple[str, ...] = ()
"""It has no files in the folder of the sample, but a folder of its own."""
_READ_OTHERWISE = frozenset(
    {*ID_COLUMNS, "formula", "description", "narrative", "explanation", "structure", "cif"}
    | {"edos_energy", "edos_density", "edos_projected", "phdos_frequency", "phdos_density", "phdos_projected"}
)
_COMPUTED = frozenset(CRYSTALS_SCHEMA.names) - set(SCALAR_PROPERTIES) - _READ_OTHERWISE
_PROPERTY_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def parse(row: RawRow) -> CrystalRecord:
    """Return the crystal of one structure file with its labels, or of one row that holds both.

    Raises:
        BadRecord: no usable structure.
    """
    (file, content), *tables = row.parts.items()
    kind = kind_of(file)
    if kind in READERS:
        values: Mapping[str, Any] = tables[0][1] if tables else {}
    else:
        values = content if kind == "parquet" else _object(content)
    fields = Fields(values)
    source_id = _identifier(fields) or row.source_id
    try:
        structure = READERS[kind](content) if kind in READERS else _structure(values)
    except BadRecord as error:
        raise BadRecord(str(error), source_id) from None
    _compare_formula(fields, structure)
    edos = fields.parsed("edos_density", lambda y: spectrum_of(values.get("edos_energy"), y, "electron DOS"))
    phdos = fields.parsed("phdos_density", lambda y: spectrum_of(values.get("phdos_frequency"), y, "phonon DOS"))
    return CrystalRecord(
        source_id=source_id,
        structure=structure,
        properties=_properties(fields),
        edos=edos,
        edos_projected=fields.parsed(
            "edos_projected", lambda parts: _projections(parts, edos, structure, "electron DOS", partial=True)
        ),
        phdos=phdos,
        phdos_projected=fields.parsed(
            "phdos_projected", lambda parts: _projections(parts, phdos, structure, "phonon DOS", partial=False)
        ),
        description=fields.text("description"),
        narrative=fields.text("narrative"),
        explanation=fields.text("explanation"),
        notes=tuple(fields.notes),
    )


def _object(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise BadRecord("the line is no complete JSON document") from None
    if not isinstance(value, dict):
        raise BadRecord("the line is no JSON object")
    return value


def _identifier(fields: Fields) -> str | None:
    """Return the id of a row; a whole number counts as its digits."""
    for name in ID_COLUMNS:
        value = fields.values.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return fields.text(*ID_COLUMNS)


def _structure(values: Mapping[str, Any]) -> Structure:
    value = values.get("structure")
    if is_missing(value):
        value = values.get("cif")
    if not isinstance(value, str):
        return pymatgen_structure(value)
    if not value.lstrip().startswith("{"):
        return read_cif(value)
    return pymatgen_structure(_object(value))


def _projections(
    value: Any, total: Spectrum | None, structure: Structure, what: str, *, partial: bool
) -> Projections | None:
    if total is None:
        raise BadRecord(f"the {what} by element has no total beside it")
    return projections_of(value, total, structure, what, partial=partial)


def _compare_formula(fields: Fields, structure: Structure) -> None:
    """Note a formula that is not that of the structure: labels may stand beside the wrong id."""
    formula = fields.text("formula")
    if formula is None:
        return
    found = formula_and_units(structure.composition)[0]
    try:
        expected = formula_and_units(Composition(formula))[0]
    except (ValueError, LookupError, ArithmeticError, TypeError):
        fields.notes.append(f"formula cannot be read: {shortened(formula)}")
        return
    if expected != found:
        fields.notes.append(f"the formula is {shortened(formula)}, that of the structure {found}")


def _properties(fields: Fields) -> dict[str, float | None]:
    """Return the value of every column that can be a property, and note the names that cannot be one."""
    properties: dict[str, float | None] = {}
    for name in fields.values:
        if name in _READ_OTHERWISE:
            continue
        if name in _COMPUTED:
            fields.notes.append(f"{name} is the name of a column the pipeline fills itself; give yours another")
        elif not _PROPERTY_NAME.fullmatch(str(name)):
            fields.notes.append(f"{shortened(name)} is no name of a property: use letters, digits and underscores")
        else:
            properties[name] = fields.number(name)
    return properties
