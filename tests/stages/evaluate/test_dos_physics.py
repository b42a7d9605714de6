"""What predicted spectra say about their crystals, against the same said by the true ones."""

from pathlib import Path

import numpy as np
import pytest

from models.spectral_physics import heat_capacity
from stages.evaluate.dos_physics import physical_quantities, physics_metrics, sum_rule_metrics
from stages.evaluate.dos_tables import write_physics
from stages.evaluate.dos_thresholds import band_edge, choose_thresholds
from stages.shared.params import DosKindParams, load_params
from stages.shared.text_files import read_csv
from tests.pipeline.imports import ROOT

PARAMS = load_params("dos_kinds", "evaluate", path=ROOT / "params.yaml")
KINDS, SETTINGS = PARAMS.dos_kinds, PARAMS.evaluate
LOW = dict.fromkeys(("predicted", "other", "mean_baseline"), SETTINGS.zero_threshold)


def grid_of(kind: DosKindParams) -> np.ndarray:
    return np.linspace(kind.minimum, kind.maximum, kind.bins)


def spectra_of(kind: DosKindParams, n: int = 6) -> np.ndarray:
    """Two peaks on either side of the middle of the window, none at its edges."""
    grid, random = np.linspace(-1, 1, kind.bins), np.random.RandomState(0)
    centers, heights = random.uniform(0.3, 0.7, (2, n, 1)), random.uniform(0.3, 1.0, (2, n, 1))
    left, right = (np.exp(-(((grid - centre) / 0.1) ** 2)) for centre in (-centers[0], centers[1]))
    spectra: np.ndarray = heights[0] * left + heights[1] * right
    return spectra


@pytest.mark.parametrize("name", KINDS)
def test_a_perfect_prediction_has_no_error_in_any_quantity(name: str) -> None:
    kind, true = KINDS[name], spectra_of(KINDS[name])
    known = np.ones(true.shape, dtype=bool)
    quantities = physical_quantities(true, {"predicted": true}, known, grid_of(kind), kind, SETTINGS, LOW)
    for metrics in physics_metrics(quantities).values():
        assert metrics["predicted_mae"] == 0.0
        assert metrics["n"] == 6


@pytest.mark.parametrize("name", KINDS)
def test_what_is_predicted_in_bins_that_are_not_known_changes_nothing(name: str) -> None:
    kind, true = KINDS[name], spectra_of(KINDS[name])
    known = np.arange(kind.bins) < np.linspace(0.7, 1.0, 6)[:, None] * kind.bins
    predictions = {
        "predicted": np.where(known, 0.9 * true + 0.01, 0.0),
        "other": np.where(known, 0.9 * true + 0.01, 5.0),
    }
    quantities = physical_quantities(true * known, predictions, known, grid_of(kind), kind, SETTINGS, LOW)
    for quantity in quantities.values():
        np.testing.assert_array_equal(quantity.predictions["predicted"], quantity.predictions["other"])


def test_phonon_quantities_are_those_of_the_spectra_and_need_no_scale() -> None:
    kind, true = KINDS["phonon"], spectra_of(KINDS["phonon"])
    predicted, known = 0.5 * np.roll(true, 2, axis=1), np.ones(true.shape, dtype=bool)
    quantities = physical_quantities(true, {"predicted": predicted}, known, grid_of(kind), kind, SETTINGS, LOW)
    assert set(quantities) == {"heat_capacity", "entropy", "free_energy", "mean_frequency", "maximum_frequency"}
    metrics = physics_metrics(quantities)
    assert metrics["mean_frequency"]["predicted_mae"] == pytest.approx(40.0, rel=1e-3)  # two bins of 20 cm⁻¹
    assert metrics["maximum_frequency"]["predicted_mae"] == pytest.approx(40.0)
    capacities = [heat_capacity(grid_of(kind), spectra, SETTINGS.temperature) for spectra in (true, predicted)]
    assert metrics["heat_capacity"]["predicted_mae"] == pytest.approx(np.abs(capacities[1] - capacities[0]).mean())


def test_with_a_scale_modes_and_electrons_are_counted() -> None:
    for name, counted in (("phonon", "modes"), ("electron", "electrons")):
        kind = KINDS[name].model_copy(update={"normalization": "none"})
        true = 3.0 * spectra_of(kind) / spectra_of(kind).sum(axis=1, keepdims=True)
        known = np.ones(true.shape, dtype=bool)
        predictions = {"predicted": 0.9 * true}
        quantity = physical_quantities(true, predictions, known, grid_of(kind), kind, SETTINGS, LOW)[counted]
        np.testing.assert_allclose(quantity.predictions["predicted"], 0.9 * quantity.true)
        expected = 3.0 if name == "phonon" else true[:, :100].sum(axis=1)  # the Fermi energy is bin 100
        np.testing.assert_allclose(quantity.true, expected, rtol=1e-3)


def test_the_gap_is_that_between_the_two_bands_and_a_metal_has_none() -> None:
    kind = KINDS["electron"]
    grid = grid_of(kind)
    insulator, metal = np.where(np.abs(grid) > 1.0, 1.0, 0.0), np.ones(kind.bins)
    true, known = np.stack([insulator, metal]), np.ones((2, kind.bins), dtype=bool)
    quantities = physical_quantities(true, {"predicted": true[::-1]}, known, grid, kind, SETTINGS, LOW)
    assert quantities["band_gap"].true == pytest.approx([2.0, 0.0], abs=0.11)  # a bin on either side
    assert quantities["dos_at_fermi_energy"].predictions["predicted"].tolist() == [1.0, 0.0]
    assert quantities["occupied_share"].true == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("name", KINDS)
def test_the_threshold_of_a_prediction_is_above_its_background(name: str) -> None:
    kind, true = KINDS[name], spectra_of(KINDS[name])
    known = np.ones(true.shape, dtype=bool)
    highest = true.max(axis=1, keepdims=True)
    predictions = {"sharp": true, "spread": np.maximum(true, 0.11 * highest)}
    thresholds = choose_thresholds(true, predictions, known, grid_of(kind), kind, SETTINGS)
    assert thresholds == {"sharp": SETTINGS.zero_threshold, "spread": 0.12}

    quantities = physical_quantities(true, predictions, known, grid_of(kind), kind, SETTINGS, thresholds)
    metrics = physics_metrics(quantities)["band_gap" if name == "electron" else "maximum_frequency"]
    assert metrics["sharp_mae"] == 0.0
    edges = band_edge(true, known, grid_of(kind), kind, SETTINGS.zero_threshold)
    for threshold in SETTINGS.predicted_zero_thresholds:
        others = band_edge(predictions["spread"], known, grid_of(kind), kind, threshold)
        assert metrics["spread_mae"] <= np.abs(others - edges).mean()


def test_without_a_validation_crystal_the_threshold_is_that_of_true_spectra() -> None:
    kind = KINDS["electron"]
    none = np.zeros((0, kind.bins))
    chosen = choose_thresholds(none, {"predicted": none}, none.astype(bool), grid_of(kind), kind, SETTINGS)
    assert chosen == {"predicted": SETTINGS.zero_threshold}


def test_a_prediction_that_is_not_finite_makes_its_error_undefined_and_no_other() -> None:
    kind, true = KINDS["phonon"], spectra_of(KINDS["phonon"])
    known = np.ones(true.shape, dtype=bool)
    predictions = {"predicted": true, "mean_baseline": np.full_like(true, np.nan)}
    quantities = physical_quantities(true, predictions, known, grid_of(kind), kind, SETTINGS, LOW)
    for metrics in physics_metrics(quantities).values():
        assert metrics["mean_baseline_mae"] is None
        assert metrics["predicted_mae"] == 0.0


def test_the_sum_rule_tells_how_many_spectra_hold_three_modes_per_atom() -> None:
    metrics = sum_rule_metrics(np.array([3.0, 2.9, 3.3, 2.0]), states_per_atom=3.0)
    assert metrics["delivered_states_per_atom"] == pytest.approx(2.8)
    assert metrics["share_within_5_percent"] == 0.5
    assert sum_rule_metrics(np.zeros(0), 3.0)["share_within_5_percent"] is None


def test_the_table_of_quantities_has_a_row_for_each_crystal(tmp_path: Path) -> None:
    kind, true = KINDS["phonon"], spectra_of(KINDS["phonon"], n=2)
    known = np.ones(true.shape, dtype=bool)
    predictions = {"predicted": np.stack([true[1], np.zeros(kind.bins)])}
    quantities = physical_quantities(true, predictions, known, grid_of(kind), kind, SETTINGS, LOW)
    write_physics(tmp_path / "physics.csv", ["a", "b"], quantities)
    first, second = read_csv(tmp_path / "physics.csv")
    assert first["material_id"] == "a"
    assert first["entropy_predicted"] == second["entropy_true"]
    assert second["entropy_predicted"] == ""  # no modes, no entropy
