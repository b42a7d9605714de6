"""Properties from spectra: learned from true spectra of the train split, and from nothing else."""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.evaluate import dos_downstream
from stages.evaluate.downstream import downstream_metrics, read_properties, regress
from tests.stages.evaluate.world import write_world

BINS = 20
SPLITS = np.array(["train"] * 60 + ["val"] * 10 + ["test"] * 30, dtype=object)


def spectra(seed: int = 0) -> np.ndarray:
    """Gaussian peaks in places between bins 4 and 16, (100, 20)."""
    centres = np.random.RandomState(seed).uniform(4, 16, len(SPLITS))
    return np.exp(-(((np.arange(BINS) - centres[:, None]) / 2) ** 2))


def mean_place(rows: np.ndarray) -> np.ndarray:
    return (rows * np.arange(BINS)).sum(axis=1) / rows.sum(axis=1)


def test_a_property_that_the_spectrum_gives_is_found() -> None:
    true = spectra()
    values = mean_place(true)
    found = regress(true[:60], values[:60], {"true": true[70:]}, seed=0)["true"]
    assert np.abs(found - values[70:]).mean() < 0.1 * values.std()


def test_predictions_are_scored_by_what_the_regressor_of_true_spectra_makes_of_them() -> None:
    true = spectra()
    values, known = mean_place(true), np.ones_like(true, dtype=bool)
    shifted = np.roll(true, 2, axis=1)  # a prediction whose peaks lie two bins too high
    metrics = downstream_metrics(values, SPLITS, {"true": true, "good": true, "shifted": shifted}, known, seed=0)
    assert (metrics["n_train"], metrics["n"]) == (60, 30)
    assert metrics["good_mae"] == metrics["true_mae"]
    assert metrics["shifted_mae"] == pytest.approx(2.0, abs=0.4)
    train_mean = values[:60].mean()
    assert metrics["mean_baseline_mae"] == pytest.approx(np.abs(values[70:] - train_mean).mean())


def test_nothing_of_val_and_test_nor_of_unknown_bins_reaches_the_regressor() -> None:
    true = spectra()
    values, known = mean_place(true), np.ones_like(true, dtype=bool)
    known[::3, 12:] = False
    given = downstream_metrics(values, SPLITS, {"true": true, "predicted": true}, known, seed=0)
    other_values = np.where(SPLITS == "val", 1e3, values)
    other_true = np.where(known & (SPLITS != "val")[:, None], true, 7.0)
    other = downstream_metrics(other_values, SPLITS, {"true": other_true, "predicted": other_true}, known, seed=0)
    assert given == other


@pytest.mark.parametrize("unknown", ["train", "test"])
def test_what_nobody_knows_is_null(unknown: str) -> None:
    true = spectra()
    values = np.where(unknown == SPLITS, np.nan, mean_place(true))
    metrics = downstream_metrics(values, SPLITS, {"true": true}, np.ones_like(true, dtype=bool), seed=0)
    assert metrics["n" if unknown == "test" else "n_train"] == 0
    assert {value for name, value in metrics.items() if not name.startswith("n")} == {None}


def test_properties_are_the_columns_that_are_there_with_their_units(tmp_path: Path) -> None:
    schema = pa.schema(
        [
            pa.field("material_id", pa.string()),
            pa.field("band_gap", pa.float64(), metadata={b"unit": b"eV"}),
            pa.field("fermi_energy", pa.float64()),
        ]
    )
    table = pa.table([["a", "b", "c"], [0.5, None, 1.5], [3.0, 4.0, 5.0]], schema=schema)
    pq.write_table(table, tmp_path / "crystals.parquet")
    properties = read_properties(tmp_path / "crystals.parquet", "electron", ["c", "b"])
    assert {name: one.unit for name, one in properties.items()} == {"band_gap": "eV", "fermi_energy": None}
    np.testing.assert_array_equal(properties["band_gap"].values, [1.5, np.nan])
    np.testing.assert_array_equal(properties["fermi_energy"].values, [5.0, 4.0])
    assert read_properties(tmp_path / "crystals.parquet", "phonon", ["a"]) == {}


def run(kind: str, monkeypatch: pytest.MonkeyPatch, root: Path) -> dict[str, dict[str, float | None]]:
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "argv", ["program", kind])
    dos_downstream.main()
    metrics: dict[str, dict[str, float | None]] = json.loads((root / f"metrics/dos_downstream/{kind}.json").read_text())
    return metrics


def test_the_program_scores_every_network_and_writes_the_same_bytes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = write_world(tmp_path, n=40)
    metrics = run("electron", monkeypatch, tmp_path)["band_gap"]
    first = (tmp_path / "metrics/dos_downstream/electron.json").read_bytes()
    assert (metrics["unit"], metrics["n"]) == ("eV", world.splits.count("test"))
    for name in ("true", "predicted", "predicted_global", "mlp", "graph_network_energies", "mean_baseline"):
        assert metrics[f"{name}_mae"] is not None
    run("electron", monkeypatch, tmp_path)
    assert (tmp_path / "metrics/dos_downstream/electron.json").read_bytes() == first


@pytest.mark.parametrize("kind", ["phonon", "electron"])
def test_no_dos_at_all_is_no_error(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_world(tmp_path, n=10, labelled=False)
    for scores in run(kind, monkeypatch, tmp_path).values():
        assert scores["n"] == scores["n_train"] == 0
