"""The recipe of a spectrum: grid, smoothing, known range and scale."""

import numpy as np
import pytest
from scipy.ndimage import uniform_filter1d

from stages.shared.params import DosKindParams, load_params
from stages.shared.spectrum_targets import SpectrumTarget, energy_grid, spectrum_target
from tests.pipeline.imports import ROOT

KINDS = load_params("dos_kinds", path=ROOT / "params.yaml").dos_kinds


def target(x: np.ndarray, y: np.ndarray, settings: DosKindParams, n_atoms: int = 1) -> SpectrumTarget:
    found = spectrum_target(x, y, n_atoms, settings)
    assert found is not None
    return found


def test_the_grids_are_the_published_ones() -> None:
    np.testing.assert_allclose(energy_grid(KINDS["phonon"]), np.arange(0, 1001, 20))
    np.testing.assert_allclose(energy_grid(KINDS["electron"]), np.arange(-100, 101) * 0.05, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_smooth_spectrum_is_kept_whatever_the_resolution_it_came_with(kind: str) -> None:
    settings = KINDS[kind]
    grid = energy_grid(settings)
    middle, width = grid.mean(), np.ptp(grid) / 4
    expected = np.exp(-0.5 * ((grid - middle) / width) ** 2)
    for n_points in (400, 3001):
        x = np.linspace(grid[0] - width, grid[-1] + width, n_points)
        spectrum = target(x, 7.0 * np.exp(-0.5 * ((x - middle) / width) ** 2), settings).spectrum
        assert spectrum.max() == 1.0
        np.testing.assert_allclose(spectrum, expected, atol=5e-3)


def test_order_one_is_a_running_mean() -> None:
    settings = KINDS["electron"]
    x = np.arange(-6, 6.0001, 0.005)
    y = np.random.RandomState(0).rand(len(x))
    mean = uniform_filter1d(y, 161)  # 0.8 eV on a grid of 5 meV
    at_bins = mean[np.rint((energy_grid(settings) - x[0]) / 0.005).astype(int)]
    np.testing.assert_allclose(target(x, y, settings).spectrum, at_bins / at_bins.max(), rtol=1e-6)


def test_a_peak_between_two_bins_is_not_lost() -> None:
    x = np.arange(0, 1001, 1.0)
    y = np.where(np.abs(x - 310) < 2, 1.0, 0.0)  # bins are at 300 and 320 cm⁻¹
    assert set(np.flatnonzero(target(x, y, KINDS["phonon"]).spectrum > 0.9)) == {15, 16}


def test_a_range_cut_off_where_there_are_states_keeps_its_height_up_to_the_cut_and_is_not_known_beyond() -> None:
    grid = energy_grid(KINDS["electron"])
    x = np.linspace(-5, 3, 300)  # delivered from the window's lower edge up to 3 eV
    found = target(x, np.ones_like(x), KINDS["electron"])
    np.testing.assert_allclose(found.spectrum, np.where(grid <= 3, 1.0, 0.0), atol=1e-9)
    np.testing.assert_array_equal(found.known, grid <= 3)


def test_above_the_highest_phonon_there_are_known_to_be_no_modes() -> None:
    x = np.linspace(0, 400, 200)
    found = target(x, np.ones_like(x), KINDS["phonon"])
    assert found.known.all()
    assert (found.spectrum[energy_grid(KINDS["phonon"]) > 400] == 0).all()


@pytest.mark.parametrize("normalization", ["max", "sum", "none"])
def test_spectrum_times_scale_counts_the_modes_of_an_atom_whatever_the_source_delivered(normalization: str) -> None:
    settings = KINDS["phonon"].model_copy(update={"normalization": normalization})
    x = np.linspace(0, 700, 500)
    y = np.exp(-(((x - 350) / 60) ** 2))
    for n_atoms, scale in ((1, 1.0), (4, 0.02)):
        found = target(x, scale * y, settings, n_atoms)
        assert (found.spectrum * found.scale).sum() == pytest.approx(3.0, rel=1e-3)
        assert found.delivered_states == pytest.approx(scale * 60 * np.sqrt(np.pi) / n_atoms, rel=1e-6)


def test_each_normalisation_is_what_it_is_called() -> None:
    x = np.linspace(-6, 6, 500)
    y = 2.0 + np.sin(x)  # states/eV in a cell of two atoms
    of_all = {
        name: target(x, y, KINDS["electron"].model_copy(update={"normalization": name}), 2)
        for name in ("max", "sum", "none")
    }
    assert of_all["max"].spectrum.max() == 1.0
    assert of_all["sum"].spectrum.sum() == pytest.approx(1.0)
    smooth = 2.0 + np.sin(energy_grid(KINDS["electron"])) * np.sin(0.4) / 0.4  # the running mean over 0.8 eV
    np.testing.assert_allclose(of_all["none"].spectrum, smooth * 0.05 / 2, rtol=1e-3)


def test_modes_outside_the_window_are_not_made_up_for() -> None:
    settings = KINDS["phonon"].model_copy(update={"normalization": "none"})
    x = np.linspace(0, 3000, 3001)
    two_peaks = sum(np.exp(-(((x - centre) / 40) ** 2)) for centre in (400, 2500))
    assert target(x, np.asarray(two_peaks), settings).spectrum.sum() == pytest.approx(1.5, rel=1e-3)


def test_spectra_are_never_negative_and_empty_windows_are_told() -> None:
    x = np.arange(0, 1001, 5.0)
    assert target(x, np.where(np.abs(x - 500) < 12, 1.0, 0.0), KINDS["phonon"]).spectrum.min() == 0.0
    assert spectrum_target(x, np.zeros_like(x), 1, KINDS["phonon"]) is None
    assert spectrum_target([2000.0, 3000.0], [1.0, 1.0], 1, KINDS["phonon"]) is None


def test_a_filter_narrower_than_the_grid_still_works() -> None:
    narrow = KINDS["electron"].model_copy(
        update={"minimum": 0.0, "maximum": 10.0, "bins": 11, "smoothing_width": 0.01, "smoothing_order": 2}
    )
    x = np.linspace(-3, 13, 500)
    np.testing.assert_allclose(target(x, x, narrow).spectrum, np.arange(11) / 10, atol=1e-9)
