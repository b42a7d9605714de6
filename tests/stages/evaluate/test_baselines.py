"""Baselines against hand-made cases, pymatgen and a single-threaded forest."""

import numpy as np
import pytest
from pymatgen.core import Composition, Element
from sklearn.ensemble import RandomForestRegressor

from stages.evaluate.baselines import composition_forest, element_fractions, mean_baseline

FORMULAS = ["NaCl", "CaTiO3", "Fe", "Cd3(AsO4)2", "MgO", "CaO", "TiO2", "KCl", "NaF", "LiF", "Og", "D2O"]


def test_element_fractions_are_the_atomic_fractions_of_pymatgen() -> None:
    fractions = element_fractions(FORMULAS)
    assert fractions.shape == (12, 118)
    np.testing.assert_allclose(fractions.sum(axis=1), 1.0)
    for row, formula in zip(fractions[:11], FORMULAS, strict=False):
        composition = Composition(formula)
        for z in range(1, 119):
            assert row[z - 1] == pytest.approx(composition.get_atomic_fraction(Element.from_Z(z)))
    assert fractions[11, 0] == pytest.approx(2 / 3)


def test_a_multiple_of_a_formula_has_the_same_fractions() -> None:
    np.testing.assert_array_equal(element_fractions(["Ca2Ti2O6"]), element_fractions(["CaTiO3"]))


def test_mean_baseline_is_the_mean_of_the_train_split() -> None:
    np.testing.assert_array_equal(mean_baseline(np.array([1.0, 2.0, 6.0]), 2), [3.0, 3.0])
    spectra = mean_baseline(np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]]), 4)
    np.testing.assert_array_equal(spectra, np.full((4, 2), 0.5))


@pytest.mark.parametrize("shape", [(40,), (40, 7)])
def test_forest_gives_the_same_bytes_whatever_the_number_of_threads(shape: tuple[int, ...]) -> None:
    random = np.random.RandomState(0)
    fractions, target = random.dirichlet(np.ones(5), 60), random.rand(*shape)
    predictions = [
        composition_forest(fractions[:40], target, fractions[40:], n_trees=30, seed=1, n_jobs=n_jobs)
        for n_jobs in (1, 2, 4)
    ]
    assert predictions[0].shape == (20, *shape[1:])
    assert predictions[0].tobytes() == predictions[1].tobytes() == predictions[2].tobytes()
    reference = RandomForestRegressor(n_estimators=30, random_state=1).fit(fractions[:40], target)
    np.testing.assert_array_equal(predictions[0], reference.predict(fractions[40:]))


def test_forest_learns_a_property_that_the_composition_decides() -> None:
    random = np.random.RandomState(0)
    fractions = random.dirichlet(np.ones(4), 300)
    value = np.where(fractions[:, 0] > 0.3, 2.0, -1.0)
    predicted = composition_forest(fractions[:200], value[:200], fractions[200:], n_trees=50, seed=0)
    trivial = mean_baseline(value[:200], 100)
    assert np.abs(predicted - value[200:]).mean() < 0.1 * np.abs(trivial - value[200:]).mean()


def test_without_a_train_split_there_is_no_baseline() -> None:
    nothing = np.zeros((0, 118))
    assert np.isnan(mean_baseline(np.zeros((0, 3)), 2)).all()
    assert np.isnan(composition_forest(nothing, np.zeros(0), np.zeros((2, 118)), n_trees=5, seed=0)).all()
    assert composition_forest(np.zeros((2, 118)), np.zeros((2, 3)), nothing, n_trees=5, seed=0).shape == (0, 3)
