"""The table made from the sample, against an independent reading of its raw files."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from pymatgen.core import Structure

from stages.shared.schemas import SCALAR_PROPERTIES
from tests.stages.raw_records import (
    read_sample_json,
    read_sample_materials_project,
    read_sample_narratives,
)

# speed of light in cm/s over the frequency of a terahertz
CM_PER_THZ = 1e12 / 2.99792458e10


def test_505_crystals_come_out_and_every_raw_row_is_booked(sample: Any) -> None:
    crystals, ledger = sample
    assert Counter(row["source"] for row in crystals.values()) == {
        "materials_project": 281,
        "jarvis": 144,
        "narratives": 80,
    }
    assert not ledger.rejected
    assert not ledger.notes
    assert {source: counts.raw for source, counts in ledger.counts.items()} == {
        "own": 0,
        "materials_project": 281,
        "jarvis": 144 + 144,
        "phonon_tutorial": 0,
        "narratives": 365,
    }
    assert ledger.of("narratives").merged == 285


def test_the_numbers_of_properties_are_those_of_the_readme(sample: Any) -> None:
    crystals, _ = sample
    gaps = sum((row["band_gap"] or 0) > 0 for row in crystals.values())
    phonons = sum(row["phdos_density"] is not None for row in crystals.values())
    moduli = sum(row["bulk_modulus"] is not None for row in crystals.values())
    prototype_like = max(row["n_atoms"] for row in crystals.values())
    assert (gaps, phonons, prototype_like) == (357, 148 + 87, 14)
    assert moduli == 215 + 114


def test_materials_project_values_are_those_of_the_documents(sample: Any) -> None:
    crystals, _ = sample
    for document in read_sample_materials_project():
        row = crystals[document["material_id"]]
        for name in ("energy_per_atom", "formation_energy_per_atom", "energy_above_hull", "band_gap"):
            assert row[name] == document[name]
        for name in ("bulk_modulus", "shear_modulus"):
            assert row[name] == (document[name] or {"vrh": None})["vrh"]
        assert row["description"] == document["description"].strip()
        assert row["density"] == pytest.approx(document["density"], rel=1e-3)
        assert row["volume_per_atom"] * row["n_atoms"] == pytest.approx(document["volume"], rel=1e-4)
        formula = Structure.from_dict(document["structure"]).composition.reduced_formula
        assert row["formula"] == formula


def test_the_spectra_of_materials_project_are_on_their_axes(sample: Any) -> None:
    crystals, _ = sample
    for document in read_sample_materials_project():
        row, dos, phonons = crystals[document["material_id"]], document["dos"], document["phonon_dos"]
        energies = np.array(dos["energies"]) - dos["efermi"]
        np.testing.assert_allclose(row["edos_energy"], energies, atol=1e-5)
        np.testing.assert_allclose(row["edos_density"], dos["densities"]["1"], rtol=1e-6)
        if phonons is None:
            assert row["phdos_frequency"] is None
            continue
        np.testing.assert_allclose(row["phdos_frequency"], np.array(phonons["frequencies"]) * CM_PER_THZ, rtol=1e-6)
        states = np.trapezoid(row["phdos_density"], row["phdos_frequency"])
        assert states == pytest.approx(3 * row["n_atoms"], rel=0.06)  # a mode per direction and atom


def test_an_insulator_has_no_states_at_its_fermi_level(sample: Any) -> None:
    crystals, _ = sample
    insulators = [row for row in crystals.values() if (row["band_gap"] or 0) > 2.5 and row["edos_energy"] is not None]
    assert len(insulators) > 50
    for row in insulators:
        at_fermi = np.interp(0.0, row["edos_energy"], row["edos_density"])
        assert at_fermi < 0.02 * row["edos_density"].max()


def test_jarvis_values_are_those_of_the_records_and_na_is_null(sample: Any) -> None:
    crystals, _ = sample
    names = {
        "energy_per_atom": "optb88vdw_total_energy",
        "formation_energy_per_atom": "formation_energy_peratom",
        "energy_above_hull": "ehull",
        "band_gap": "optb88vdw_bandgap",
        "bulk_modulus": "bulk_modulus_kv",
        "shear_modulus": "shear_modulus_gv",
        "total_magnetization": "magmom_outcar",
    }
    for record in read_sample_json("jarvis_dft_3d.json.gz"):
        row = crystals[record["jid"]]
        for ours, theirs in names.items():
            assert row[ours] == (None if record[theirs] == "na" else record[theirs])
        assert row["space_group_number"] == record["spg_number"]
        assert row["crystal_system"] == record["crys"]


def test_jarvis_spectra_add_both_spins_and_hold_three_modes_per_atom(sample: Any) -> None:
    crystals, _ = sample
    modes_per_atom = []
    for record in read_sample_json("jarvis_edos_pdos.json.gz"):
        row = crystals[record["jid"]]
        total = np.array(record["edos_up"]) + np.array(record["edos_down"])
        np.testing.assert_allclose(row["edos_density"], total, rtol=1e-6)
        assert (row["edos_energy"][0], row["edos_energy"][-1], len(row["edos_energy"])) == (-5, 10, 300)
        if record["pdos_elast"] == "na":
            assert row["phdos_density"] is None
            continue
        modes_per_atom.append(np.trapezoid(row["phdos_density"], row["phdos_frequency"]) / row["n_atoms"])
    # the grid of 5 cm⁻¹ is coarse and ends at 1000 cm⁻¹, where light elements still vibrate
    assert np.median(modes_per_atom) == pytest.approx(3, rel=0.02)
    assert np.max(modes_per_atom) < 3 * 1.15


def test_every_narrative_is_with_a_crystal_of_its_own_formula_volume_and_values(sample: Any) -> None:
    crystals, _ = sample
    with_narrative = [row for row in crystals.values() if row["narrative"] is not None]
    by_text = {row["narrative"]: row for row in with_narrative}
    raw = read_sample_narratives()
    assert len(with_narrative) == len(raw)
    for narrative in raw:
        row = by_text[narrative["gpt_text"].strip()]
        assert row["explanation"] == narrative["gpt_explanation"].strip()
        assert row["formula"] == narrative["reduced_formula"]
        assert row["space_group_symbol"] == narrative["space group symbol"]
        assert row["volume_per_atom"] * row["n_atoms"] == pytest.approx(narrative["volume (Å³)"], rel=1e-3)
        assert row["band_gap"] == pytest.approx(narrative["band gap (eV)"], abs=2e-3)
        assert row["formation_energy_per_atom"] == pytest.approx(
            narrative["formation energy per atom (eV/atom)"], abs=2e-3
        )


def test_no_property_is_infinite_or_nan(sample: Any) -> None:
    crystals, _ = sample
    for row in crystals.values():
        assert all(row[name] is None or np.isfinite(row[name]) for name in SCALAR_PROPERTIES)
