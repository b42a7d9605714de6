"""Materials Project: one JSON document a line, as mp-api returns summary documents.

Besides the summary fields a document may hold `dos` (electron DOS: absolute energies in eV, `efermi`, densities in
states/eV/cell per spin channel), `phonon_dos` (frequencies in THz, states/THz/cell) and `description`
(robocrystallographer's text). Both kinds of DOS may as well be what `as_dict` of pymatgen's `CompleteDos` and
`CompletePhononDos` gives, which have parts by element; what the fetch stage downloads has none. Any field but the
structure may be missing or null.

Jain et al., *Commentary: The Materials Project*, APL Materials 1, 011002 (2013), doi 10.1063/1.4812323.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from stages.shared.sources.files import BrokenFile, find_raw_file, iterate_lines
from stages.shared.sources.projections import Projections, projections_of
from stages.shared.sources.pymatgen_structure import pymatgen_structure
from stages.shared.sources.record import (
    BadRecord,
    CrystalRecord,
    Fields,
    RawRow,
    Reject,
    Spectrum,
    array_of,
    finite_number,
    is_missing,
    per_formula_unit,
    spectrum_of,
)

SOURCE = "materials_project"
FILE_NAMES = ("materials_project.jsonl",)
CM_PER_THZ = 33.35641
"""Wavenumber of one terahertz in cm⁻¹: 10¹² Hz / c."""


def rows(folder: Path) -> Iterator[RawRow | Reject]:
    """Yield one row per line of the file, unparsed; nothing where the folder has no such file."""
    path = find_raw_file(folder, FILE_NAMES[0])
    if path is None:
        return
    count = 0
    try:
        for count, line in enumerate(iterate_lines(path), start=1):
            yield RawRow(SOURCE, f"line {count}", {"materials_project": line})
    except BrokenFile as error:
        yield Reject(SOURCE, f"behind line {count}", str(error))


def parse(row: RawRow) -> CrystalRecord:
    """Return the crystal of one document.

    Raises:
        BadRecord: no JSON object, no id, or no usable structure.
    """
    document = _document(row.parts[SOURCE])
    fields = Fields(document)
    source_id = fields.text("material_id")
    if source_id is None:
        raise BadRecord("the document has no material_id")
    try:
        structure = pymatgen_structure(document.get("structure"))
    except BadRecord as error:
        raise BadRecord(str(error), source_id) from None
    properties = {
        "energy_per_atom": fields.number("energy_per_atom"),
        "formation_energy_per_atom": fields.number("formation_energy_per_atom"),
        "energy_above_hull": fields.number("energy_above_hull"),
        "band_gap": fields.number("band_gap"),
        "bulk_modulus": _modulus(fields, "bulk_modulus"),
        "shear_modulus": _modulus(fields, "shear_modulus"),
        "total_magnetization": per_formula_unit(fields.number("total_magnetization"), structure),
    }
    edos_projected = phdos_projected = None
    if (edos := fields.parsed("dos", _electron_dos)) is not None:
        edos_projected = fields.parsed("dos", lambda value: _electron_projections(value, edos, structure))
    if (phdos := fields.parsed("phonon_dos", _phonon_dos)) is not None:
        phdos_projected = fields.parsed("phonon_dos", lambda value: _phonon_projections(value, phdos, structure))
    return CrystalRecord(
        source_id=source_id,
        structure=structure,
        properties=properties,
        edos=edos,
        edos_projected=edos_projected,
        phdos=phdos,
        phdos_projected=phdos_projected,
        description=fields.text("description"),
        notes=tuple(fields.notes),
    )


def _document(line: str) -> Mapping[str, Any]:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        raise BadRecord("the line is no complete JSON document") from None
    if not isinstance(document, dict):
        raise BadRecord("the line is no JSON object")
    return document


def _modulus(fields: Fields, name: str) -> float | None:
    """Return the Voigt-Reuss-Hill average in GPa from `{"vrh": …}` or from a bare number."""
    value = fields.values.get(name)
    if not isinstance(value, Mapping):
        return fields.number(name)
    moduli = Fields({name: value.get("vrh")})
    number = moduli.number(name)
    fields.notes.extend(moduli.notes)
    return number


def _electron_dos(value: Any) -> Spectrum:
    """Return the total DOS, all spin channels added, on E − E_F (eV)."""
    what = "electron DOS"
    if not isinstance(value, Mapping):
        raise BadRecord(f"the {what} is no JSON object")
    fermi_energy = finite_number(value.get("efermi"))
    if fermi_energy is None:
        raise BadRecord(f"the {what} has no Fermi energy")
    energies = array_of(value.get("energies"), f"the axis of the {what}", (None,))
    return spectrum_of(energies - fermi_energy, _all_spins(value, len(energies), what), what)


def _all_spins(dos: Any, n_energies: int, what: str) -> NDArray[np.float64]:
    """Add the spin channels of the dictionary of a `Dos`, (n_energies,)."""
    channels = dos.get("densities") if isinstance(dos, Mapping) else None
    if not isinstance(channels, Mapping) or not channels:
        raise BadRecord(f"the {what} has no densities")
    spins = [array_of(channel, f"the {what}", (n_energies,)) for channel in channels.values()]
    return np.asarray(np.sum(spins, axis=0), dtype=np.float64)


def _electron_projections(value: Mapping[str, Any], total: Spectrum, structure: Structure) -> Projections | None:
    """Return what lies within spheres around the atoms of each element, all spin channels added."""
    what, by_element = "electron DOS", value.get("atom_dos")
    if is_missing(by_element):
        return None
    if not isinstance(by_element, Mapping):
        raise BadRecord(f"the {what} by element is no JSON object")
    added = {symbol: _all_spins(dos, len(total.x), f"{what} of {symbol}") for symbol, dos in by_element.items()}
    return projections_of(added, total, structure, what, partial=True)


def _phonon_dos(value: Any) -> Spectrum:
    """Return the phonon DOS on cm⁻¹; imaginary modes stay at negative wavenumbers, as the source has them."""
    what = "phonon DOS"
    if not isinstance(value, Mapping):
        raise BadRecord(f"the {what} is no JSON object")
    frequencies = array_of(value.get("frequencies"), f"the axis of the {what}", (None,))
    densities = array_of(value.get("densities"), f"the {what}", (len(frequencies),))
    return spectrum_of(frequencies * CM_PER_THZ, densities / CM_PER_THZ, what)


def _phonon_projections(value: Mapping[str, Any], total: Spectrum, structure: Structure) -> Projections | None:
    """Add up the parts of the sites of each element, which `value["structure"]` names."""
    what, sites = "phonon DOS", value.get("pdos")
    if is_missing(sites):
        return None
    try:
        symbols = [site.species.elements[0].symbol for site in pymatgen_structure(value.get("structure"))]
    except BadRecord as error:
        raise BadRecord(f"the {what} by site is of unknown sites: {error}") from None
    parts = array_of(sites, f"the {what} by site", (len(symbols), len(total.x))) / CM_PER_THZ
    added: Projections = {}
    for symbol, part in zip(symbols, parts, strict=True):
        added[symbol] = added.get(symbol, np.zeros_like(part)) + part
    return projections_of(added, total, structure, what)
