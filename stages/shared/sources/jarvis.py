"""JARVIS-DFT: figshare's `dft_3d` (properties) and `edos_pdos` (densities of states), each one JSON list.

A record of `edos_pdos` belongs to the `dft_3d` record of the same `jid`, whose structure counts; one without such a
record carries its own structure and becomes a crystal by itself. Missing values are the text "na".

Choudhary et al., *The joint automated repository for various integrated simulations (JARVIS) for data-driven materials
design*, npj Computational Materials 6, 173 (2020), doi 10.1038/s41524-020-00440-1.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stages.shared.sources.files import BrokenFile, find_raw_file, iterate_json_array
from stages.shared.sources.record import (
    CrystalRecord,
    Fields,
    RawRow,
    Reject,
    Spectrum,
    array_of,
    is_missing,
    jarvis_structure,
    per_formula_unit,
    spectrum_of,
)

SOURCE = "jarvis"
PROPERTIES = "jarvis_dft_3d"
SPECTRA = "jarvis_edos_pdos"
FILE_NAMES = (f"{PROPERTIES}.json", f"{SPECTRA}.json")

EDOS_ENERGY = np.linspace(-5.0, 10.0, 300)
"""Energies of `edos_up` and `edos_down`, eV relative to the Fermi level."""
PHDOS_FREQUENCY = np.linspace(0.0, 1000.0, 201)
"""Wavenumbers of `pdos_elast`, cm⁻¹."""


@dataclass(frozen=True)
class _Element:
    """One record of a JSON list: decoded, as text, and the name of its place for those without a `jid`."""

    values: Any
    text: str
    place: str


def rows(folder: Path) -> Iterator[RawRow | Reject]:
    """Yield one row per `jid`, with its record of either or both files, in file order; the spectra stay JSON text."""
    spectra: dict[str, str] = {}
    for element in _elements(folder, SPECTRA):
        jid = _jid(element)
        if isinstance(element, Reject):
            yield element
        elif jid is None:
            yield Reject(SOURCE, element.place, "the record has no jid")
        elif jid in spectra:
            yield Reject(SOURCE, jid, f"duplicate: {SPECTRA} holds this jid more than once")
        else:
            spectra[jid] = element.text
    for element in _elements(folder, PROPERTIES):
        jid = _jid(element)
        if isinstance(element, Reject):
            yield element
        elif jid is None:
            yield Reject(SOURCE, element.place, "the record has no jid")
        else:
            text = spectra.pop(jid, None)
            parts = {PROPERTIES: element.values} | ({} if text is None else {SPECTRA: text})
            yield RawRow(SOURCE, jid, parts)
    for jid, text in spectra.items():
        yield RawRow(SOURCE, jid, {SPECTRA: text})


def _elements(folder: Path, stem: str) -> Iterator[_Element | Reject]:
    path = find_raw_file(folder, f"{stem}.json")
    if path is None:
        return
    count = 0
    try:
        for count, (values, text) in enumerate(iterate_json_array(path), start=1):
            yield _Element(values, text, f"record {count} of {stem}")
    except BrokenFile as error:
        yield Reject(SOURCE, f"behind record {count} of {stem}", str(error))


def _jid(element: _Element | Reject) -> str | None:
    if isinstance(element, Reject) or not isinstance(element.values, Mapping):
        return None
    return Fields(element.values).text("jid")


def parse(row: RawRow) -> CrystalRecord:
    """Return the crystal of one `jid`.

    Moduli are Voigt averages (`_kv`, `_gv`), the gap and energies those of OptB88vdW; `magmom_outcar` is in μB per
    cell.

    Raises:
        BadRecord: no usable structure.
    """
    spectra = json.loads(row.parts[SPECTRA]) if SPECTRA in row.parts else {}
    record = row.parts.get(PROPERTIES, spectra)
    fields, spectrum_fields = Fields(record), Fields(spectra)
    structure = jarvis_structure(record.get("atoms"))
    properties = {
        "energy_per_atom": fields.number("optb88vdw_total_energy"),
        "formation_energy_per_atom": fields.number("formation_energy_peratom"),
        "energy_above_hull": fields.number("ehull"),
        "band_gap": fields.number("optb88vdw_bandgap"),
        "bulk_modulus": fields.number("bulk_modulus_kv"),
        "shear_modulus": fields.number("shear_modulus_gv"),
        "total_magnetization": per_formula_unit(fields.number("magmom_outcar"), structure),
    }
    edos = spectrum_fields.spectrum("edos_up", lambda up: _electron_dos(up, spectra))
    return CrystalRecord(
        source_id=row.source_id,
        structure=structure,
        properties=properties,
        edos=edos,
        phdos=spectrum_fields.spectrum("pdos_elast", _phonon_dos),
        notes=(*fields.notes, *spectrum_fields.notes),
    )


def _electron_dos(up: Any, spectra: Mapping[str, Any]) -> Spectrum:
    """Return the total DOS: up plus down, or `edos_up` alone where the file has no other channel."""
    shape = EDOS_ENERGY.shape
    total = array_of(up, "the electron DOS (up)", shape)
    down = spectra.get("edos_down")
    if not is_missing(down):
        total = total + array_of(down, "the electron DOS (down)", shape)
    return spectrum_of(EDOS_ENERGY, total, "electron DOS")


def _phonon_dos(density: Any) -> Spectrum:
    array = array_of(density, "the phonon DOS", PHDOS_FREQUENCY.shape)
    return spectrum_of(PHDOS_FREQUENCY, array, "phonon DOS")
