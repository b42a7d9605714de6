"""JARVIS: JSON lists of figshare with structures and properties, and `edos_pdos` with densities of states.

`dft_3d` and its frozen edition `dft_3d_2021` hold the OptB88vdW calculations of JARVIS-DFT by `jid`; `megnet` holds the
PBE calculations of the Materials Project of 2018 on which MEGNet was trained, by their `id` there. `megnet_bulk` and
`megnet_shear` hold those of its records that Matformer and Crystalformer learn moduli from, as pickled lists, one for
each split. A record of `edos_pdos` belongs to the record of the same `jid`, whose structure counts; one without such a
record carries its own structure and becomes a crystal by itself. Missing values are the text "na".

Choudhary et al., *The joint automated repository for various integrated simulations (JARVIS) for data-driven materials
design*, npj Computational Materials 6, 173 (2020), doi 10.1038/s41524-020-00440-1; for `megnet` Chen et al., *Graph
Networks as a Universal Machine Learning Framework for Molecules and Crystals*, Chemistry of Materials 31, 3564 (2019),
doi 10.1021/acs.chemmater.9b01294; for the sets of moduli Yan et al., *Periodic Graph Transformers for Crystal Material
Property Prediction*, NeurIPS 2022, arXiv:2209.11807.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stages.shared.sources.files import BrokenFile, find_raw_file, iterate_json_array
from stages.shared.sources.plain_pickle import read_pickled_list
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
from stages.shared.sources.text_store import TextStore

SOURCE = "jarvis"
PROPERTIES = ("jarvis_dft_3d", "jarvis_dft_3d_2021", "jarvis_megnet")
SPECTRA = "jarvis_edos_pdos"
MODULI = {
    f"jarvis_megnet_{modulus}_{split}": modulus for modulus in ("bulk", "shear") for split in ("train", "val", "test")
}
"""The modulus that each pickled list is about."""
FILE_NAMES = (*(f"{stem}.json" for stem in (*PROPERTIES, SPECTRA)), *(f"{stem}.pkl" for stem in MODULI))
ID_FIELDS = ("jid", "id")

EDOS_ENERGY = np.linspace(-5.0, 10.0, 300)
"""Energies of `edos_up` and `edos_down`, eV relative to the Fermi level."""
PHDOS_FREQUENCY = np.linspace(0.0, 1000.0, 201)
"""Wavenumbers of `pdos_elast`, cm⁻¹."""


@dataclass(frozen=True)
class _Element:
    """One record of a list: its id, decoded, and as JSON text, which pickles do not have."""

    source_id: str
    values: Mapping[str, Any]
    text: str


def rows(folder: Path) -> Iterator[RawRow | Reject]:
    """Yield one row per id, with its record of either or both kinds, in file order; the spectra stay JSON text."""
    with closing(TextStore()) as spectra:
        for element in _elements(folder, SPECTRA):
            if isinstance(element, Reject):
                yield element
            elif not spectra.add(element.source_id, element.text):
                yield Reject(SOURCE, element.source_id, f"duplicate: {SPECTRA} holds this id more than once")
        for stem in (*PROPERTIES, *MODULI):
            for element in _elements(folder, stem):
                if isinstance(element, Reject):
                    yield element
                    continue
                text = spectra.take(element.source_id)
                parts = {stem: element.values} | ({} if text is None else {SPECTRA: text})
                yield RawRow(SOURCE, element.source_id, parts)
        for source_id, text in spectra.left_over():
            yield RawRow(SOURCE, source_id, {SPECTRA: text})


def _elements(folder: Path, stem: str) -> Iterator[_Element | Reject]:
    path = find_raw_file(folder, f"{stem}.pkl" if stem in MODULI else f"{stem}.json")
    if path is None:
        return
    count = 0
    try:
        records = ((values, "") for values in read_pickled_list(path)) if stem in MODULI else iterate_json_array(path)
        for count, (values, text) in enumerate(records, start=1):
            source_id = Fields(values).text(*ID_FIELDS) if isinstance(values, Mapping) else None
            if source_id is None:
                yield Reject(SOURCE, f"record {count} of {stem}", "the record has no jid")
            else:
                yield _Element(source_id, values, text)
    except BrokenFile as error:
        yield Reject(SOURCE, f"behind record {count} of {stem}", str(error))


def parse(row: RawRow) -> CrystalRecord:
    """Return the crystal of one id.

    In `dft_3d` moduli are Voigt averages (`_kv`, `_gv`), the gap and energies those of OptB88vdW, `magmom_outcar` is in
    μB per cell; the gap of the modified Becke-Johnson potential, where known, is `mbj_band_gap` in eV. In `megnet`
    moduli are Voigt-Reuss-Hill averages in GPa, the gap is that of PBE, and `mu_b` is in μB per cell. `megnet_bulk` and
    `megnet_shear` have log10 of the modulus they are called after, and tell no unit of the other, which is not read.

    Raises:
        BadRecord: no usable structure.
    """
    spectra = json.loads(row.parts[SPECTRA]) if SPECTRA in row.parts else {}
    stem, record = next(((stem, values) for stem, values in row.parts.items() if stem != SPECTRA), (SPECTRA, spectra))
    fields, spectrum_fields = Fields(record), Fields(spectra)
    structure = jarvis_structure(record.get("atoms"))
    properties = {
        "energy_per_atom": fields.number("optb88vdw_total_energy"),
        "formation_energy_per_atom": fields.number("formation_energy_peratom", "e_form"),
        "energy_above_hull": fields.number("ehull", "e_hull"),
        "band_gap": fields.number("optb88vdw_bandgap", "gap pbe"),
        "total_magnetization": per_formula_unit(fields.number("magmom_outcar", "mu_b"), structure),
        **_moduli(fields, stem),
    }
    mbj_band_gap = fields.number("mbj_bandgap")
    if mbj_band_gap is not None:
        properties["mbj_band_gap"] = mbj_band_gap
    edos = spectrum_fields.parsed("edos_up", lambda up: _electron_dos(up, spectra))
    return CrystalRecord(
        source_id=row.source_id,
        structure=structure,
        properties=properties,
        edos=edos,
        phdos=spectrum_fields.parsed("pdos_elast", _phonon_dos),
        notes=(*fields.notes, *spectrum_fields.notes),
    )


def _moduli(fields: Fields, stem: str) -> dict[str, float | None]:
    if stem in MODULI:
        return {f"log10_{MODULI[stem]}_modulus": fields.number(f"{MODULI[stem]} modulus")}
    return {
        "bulk_modulus": fields.number("bulk_modulus_kv", "bulk modulus"),
        "shear_modulus": fields.number("shear_modulus_gv", "shear modulus"),
    }


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
