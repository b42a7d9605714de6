import numpy as np
import pytest
from scipy.ndimage import uniform_filter1d

from stages.dos.targets import energy_grid, spectrum_target
from stages.shared.params import DosKindParams, load_params
from tests.pipeline.imports import ROOT

KINDS = load_params("dos_kinds", path=ROOT / "params.yaml").dos_kinds


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
        spectrum = spectrum_target(x, 7.0 * np.exp(-0.5 * ((x - middle) / width) ** 2), settings)
        assert spectrum is not None
        assert spectrum.max() == 1.0
        np.testing.assert_allclose(spectrum, expected, atol=5e-3)


def test_order_one_is_a_running_mean() -> None:
    settings = KINDS["electron"]
    x = np.arange(-6, 6.0001, 0.005)
    y = np.random.RandomState(0).rand(len(x))
    mean = uniform_filter1d(y, 161)  # 0.8 eV on a grid of 5 meV
    at_bins = mean[np.rint((energy_grid(settings) - x[0]) / 0.005).astype(int)]
    np.testing.assert_allclose(spectrum_target(x, y, settings), at_bins / at_bins.max(), rtol=1e-6)


def test_a_peak_between_two_bins_is_not_lost() -> None:
    x = np.arange(0, 1001, 1.0)
    y = np.where(np.abs(x - 310) < 2, 1.0, 0.0)  # bins are at 300 and 320 cm⁻¹
    spectrum = spectrum_target(x, y, KINDS["phonon"])
    assert spectrum is not None
    assert set(np.flatnonzero(spectrum > 0.9)) == {15, 16}


def test_a_range_cut_off_where_there_are_states_keeps_its_height_up_to_the_cut_and_is_zero_beyond() -> None:
    grid = energy_grid(KINDS["electron"])
    x = np.linspace(-5, 3, 300)  # delivered from the window's lower edge up to 3 eV
    spectrum = spectrum_target(x, np.ones_like(x), KINDS["electron"])
    np.testing.assert_allclose(spectrum, np.where(grid <= 3, 1.0, 0.0), atol=1e-9)


def test_spectra_are_never_negative_and_empty_windows_are_told() -> None:
    x = np.arange(0, 1001, 5.0)
    spectrum = spectrum_target(x, np.where(np.abs(x - 500) < 12, 1.0, 0.0), KINDS["phonon"])
    assert spectrum is not None
    assert spectrum.min() == 0.0
    assert spectrum_target(x, np.zeros_like(x), KINDS["phonon"]) is None
    assert spectrum_target([2000.0, 3000.0], [1.0, 1.0], KINDS["phonon"]) is None


def test_a_filter_narrower_than_the_grid_still_works() -> None:
    narrow = DosKindParams(minimum=0, maximum=10, bins=11, unit="eV", smoothing_width=0.01, smoothing_order=2)
    x = np.linspace(-3, 13, 500)
    np.testing.assert_allclose(spectrum_target(x, x, narrow), np.arange(11) / 10, atol=1e-9)
