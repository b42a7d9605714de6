"""Thermodynamics against closed forms, numerical integrals and thermodynamic identities; electrons against models."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import constants, integrate

from models.spectral_physics import (
    GAS_CONSTANT,
    KELVIN_PER_WAVENUMBER,
    band_gap,
    dos_at_fermi_energy,
    heat_capacity,
    maximum_frequency,
    mean_frequency,
    states_below_fermi_energy,
    vibrational_entropy,
    vibrational_free_energy,
)

FREQUENCY = np.linspace(0.0, 1000.0, 51)
FINE = np.linspace(0.0, 1000.0, 40001)
ENERGY = np.linspace(-5.0, 5.0, 201)
RANDOM_DOS = np.random.RandomState(0).rand(5, 51)
ALL_KNOWN = np.ones((1, 201), dtype=bool)

at_temperatures = pytest.mark.parametrize("temperature", [20.0, 100.0, 300.0, 1000.0])


def debye(frequency: np.ndarray, cutoff: float) -> np.ndarray:
    return np.where(frequency <= cutoff, frequency**2, 0.0)[None]


def test_constants_are_those_of_the_si() -> None:
    assert pytest.approx(constants.R, rel=1e-9) == GAS_CONSTANT
    assert pytest.approx(constants.h * constants.c * 100 / constants.k, rel=1e-9) == KELVIN_PER_WAVENUMBER


@at_temperatures
def test_one_frequency_is_an_einstein_crystal(temperature: float) -> None:
    einstein = np.eye(51)[[15]]  # all modes at 300 cm⁻¹
    x = constants.h * constants.c * 30000 / (constants.k * temperature)
    occupation = 1 / np.expm1(x)
    capacity = 3 * constants.R * x**2 * np.exp(x) * occupation**2
    entropy = 3 * constants.R * ((1 + occupation) * np.log(1 + occupation) - occupation * np.log(occupation))
    energy = 3 * constants.R * temperature * x * (occupation + 0.5) / 1000
    assert heat_capacity(FREQUENCY, einstein, temperature) == pytest.approx([capacity])
    assert vibrational_entropy(FREQUENCY, einstein, temperature) == pytest.approx([entropy])
    free_energy = vibrational_free_energy(FREQUENCY, einstein, temperature)
    assert free_energy == pytest.approx([energy - temperature * entropy / 1000])


@at_temperatures
def test_a_quadratic_spectrum_is_a_debye_crystal(temperature: float) -> None:
    reduced = KELVIN_PER_WAVENUMBER * 400.0 / temperature

    def integral(integrand: Callable[[float], float]) -> float:
        return float(integrate.quad(integrand, 0, reduced)[0])

    capacity = 9 * constants.R / reduced**3 * integral(lambda x: x**4 * np.exp(x) / np.expm1(x) ** 2)
    thermal = 9 * constants.R * temperature / reduced**3 * integral(lambda x: x**3 / np.expm1(x))
    zero_point = 9 / 8 * constants.R * KELVIN_PER_WAVENUMBER * 400.0
    logarithm = 9 * constants.R / reduced**3 * integral(lambda x: x**2 * np.log(-np.expm1(-x)))
    dos = debye(FINE, 400.0)
    assert heat_capacity(FINE, dos, temperature) == pytest.approx([capacity], rel=1e-3)
    assert vibrational_entropy(FINE, dos, temperature) == pytest.approx([thermal / temperature - logarithm], rel=1e-3)
    free_energy = (zero_point + temperature * logarithm) / 1000
    assert vibrational_free_energy(FINE, dos, temperature) == pytest.approx([free_energy], rel=1e-3, abs=1e-3)


@at_temperatures
def test_entropy_and_heat_capacity_are_derivatives_of_the_free_energy(temperature: float) -> None:
    step = 1e-3 * temperature
    free_energy = [
        1000 * vibrational_free_energy(FREQUENCY, RANDOM_DOS, temperature + shift) for shift in (-step, 0.0, step)
    ]
    slope = (free_energy[2] - free_energy[0]) / (2 * step)
    curvature = (free_energy[2] - 2 * free_energy[1] + free_energy[0]) / step**2
    np.testing.assert_allclose(vibrational_entropy(FREQUENCY, RANDOM_DOS, temperature), -slope, rtol=1e-4)
    np.testing.assert_allclose(heat_capacity(FREQUENCY, RANDOM_DOS, temperature), -temperature * curvature, rtol=1e-3)


def test_heat_capacity_goes_from_zero_to_dulong_and_petit() -> None:
    assert heat_capacity(FREQUENCY, RANDOM_DOS, 1e6) == pytest.approx([3 * constants.R] * 5, rel=1e-6)
    assert heat_capacity(FREQUENCY, RANDOM_DOS, 0.1) == pytest.approx([0.0] * 5, abs=1e-12)


@pytest.mark.parametrize("quantity", [heat_capacity, vibrational_entropy, vibrational_free_energy])
def test_thermodynamics_knows_no_scale_and_is_undefined_without_modes_above_zero(
    quantity: Callable[[np.ndarray, np.ndarray, float], np.ndarray],
) -> None:
    np.testing.assert_allclose(
        quantity(FREQUENCY, 7.0 * RANDOM_DOS, 300.0), quantity(FREQUENCY, RANDOM_DOS, 300.0), rtol=1e-12
    )
    assert np.isnan(quantity(FREQUENCY, np.eye(51)[[0]], 300.0)).all()


def test_mean_and_maximum_frequency_of_a_debye_crystal() -> None:
    assert mean_frequency(FINE, debye(FINE, 400.0)) == pytest.approx([300.0], rel=1e-3)
    # ω² falls to a tenth of its maximum far below the cutoff, so the cutoff is the last frequency above
    assert maximum_frequency(FINE, debye(FINE, 400.0), 0.1) == pytest.approx([400.0])
    assert np.isnan(maximum_frequency(FREQUENCY, np.zeros((1, 51)), 0.1)).all()


def test_free_electrons_have_as_many_states_below_the_fermi_energy_as_their_integral() -> None:
    dos = np.sqrt(ENERGY + 5.0)[None]
    spacing = ENERGY[1] - ENERGY[0]
    assert states_below_fermi_energy(ENERGY, dos) * spacing == pytest.approx([2 / 3 * 5.0**1.5], rel=1e-3)
    assert dos_at_fermi_energy(ENERGY, dos) == pytest.approx([np.sqrt(5.0)])


def test_the_fermi_energy_need_not_lie_on_a_bin() -> None:
    energy = np.array([-1.5, -0.5, 0.5])
    assert dos_at_fermi_energy(energy, np.array([[0.0, 1.0, 3.0]])).tolist() == [2.0]
    assert states_below_fermi_energy(energy, np.array([[4.0, 1.0, 3.0]])).tolist() == [5.0]


def parabolic_bands(valence: float, conduction: float) -> np.ndarray:
    dos: np.ndarray = np.maximum(valence - ENERGY, 0.0) + np.maximum(ENERGY - conduction, 0.0)
    return dos[None] / dos.max()


@pytest.mark.parametrize(("valence", "conduction"), [(-1.0, 1.3), (0.0, 2.0), (-0.42, 0.13)])
def test_the_gap_of_linear_bands_is_their_distance_and_what_the_threshold_adds(
    valence: float, conduction: float
) -> None:
    dos = parabolic_bands(valence, conduction)
    slope = 1 / max(valence + 5, 5 - conduction)
    for threshold in (0.01, 0.05):
        expected = conduction - valence + 2 * threshold / slope
        assert band_gap(ENERGY, dos, ALL_KNOWN, threshold) == pytest.approx([expected], abs=0.02)


def test_a_metal_has_no_gap_wherever_else_its_spectrum_is_low() -> None:
    assert band_gap(ENERGY, parabolic_bands(1.0, 3.0), ALL_KNOWN, 0.05).tolist() == [0.0]
    assert band_gap(ENERGY, np.ones((1, 201)), ALL_KNOWN, 0.05).tolist() == [0.0]


def test_a_gap_ends_where_the_known_bins_end() -> None:
    dos = np.where(ENERGY < -1.0, 1.0, 0.0)[None]
    known = (ENERGY < 2.01)[None]
    assert band_gap(ENERGY, dos, known, 0.05) == pytest.approx([3.0], abs=0.06)
    assert band_gap(ENERGY, dos + 5.0 * ~known, known, 0.05) == pytest.approx([3.0], abs=0.06)
