"""The baseline networks' predictions are found by name, whatever the order of the crystals."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from stages.evaluate import dos
from stages.evaluate.dos_baselines import network_predictions
from stages.shared.errors import StageError
from stages.shared.schemas import DOS_BASELINES_SCHEMA
from stages.shared.tables import read_table, write_table
from tests.stages.evaluate.world import write_world

NETWORKS = [name for name in DOS_BASELINES_SCHEMA.names if name != "material_id"]


def write_networks(path: Path, material_ids: list[str]) -> None:
    """Write spectra of three bins that hold the crystal's place in the table and the network's."""
    columns: dict[str, list[object]] = {
        name: [[place, network, 0.5] for place in range(len(material_ids))] for network, name in enumerate(NETWORKS)
    }
    write_table(path, {"material_id": material_ids, **columns}, DOS_BASELINES_SCHEMA)


def test_each_crystal_gets_its_own_spectra(tmp_path: Path) -> None:
    write_networks(tmp_path / "t.parquet", ["a", "b", "c"])
    spectra = network_predictions(tmp_path / "t.parquet", ["c", "a"], 3)
    assert list(spectra) == NETWORKS
    for network, name in enumerate(NETWORKS):
        np.testing.assert_array_equal(spectra[name], [[2, network, 0.5], [0, network, 0.5]])


def test_a_crystal_that_is_not_there_is_named(tmp_path: Path) -> None:
    write_networks(tmp_path / "t.parquet", ["a"])
    with pytest.raises(StageError, match="lacks 1 crystals, for example x; run `dvc repro`"):
        network_predictions(tmp_path / "t.parquet", ["a", "x"], 3)


def test_no_crystal_at_all_gives_no_rows(tmp_path: Path) -> None:
    write_networks(tmp_path / "t.parquet", [])
    assert {rows.shape for rows in network_predictions(tmp_path / "t.parquet", [], 3).values()} == {(0, 3)}


def test_the_metrics_of_a_kind_score_every_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_world(tmp_path, n=20)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["program", "phonon"])
    dos.main()
    metrics = json.loads(Path("metrics/dos/phonon.json").read_text())["test"]
    table = read_table(Path("data/predictions/dos/phonon.parquet")).to_pandas()
    networks = read_table(Path("data/predictions/dos_baselines/phonon.parquet")).to_pandas()
    joined = table.merge(networks, on="material_id").query("split == 'test'")
    for name in NETWORKS:
        errors = [
            np.abs(predicted - true)[known].mean()
            for predicted, true, known in zip(joined[name], joined["true"], joined["known"], strict=True)
        ]
        assert metrics[f"{name}_mae"] == pytest.approx(np.mean(errors), rel=1e-4)
