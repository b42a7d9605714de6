"""The four programs on made-up predictions: what they write, byte for byte, and what they do when there is little."""

import csv
import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.evaluate import data, dos, fusion, pretrain
from stages.shared import parallel
from stages.shared.errors import StageError
from stages.shared.tables import read_table
from stages.shared.text_files import write_csv
from tests.stages.evaluate.world import write_world

Run = Callable[..., None]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a program in a folder of its own; a name is its command-line argument."""
    monkeypatch.chdir(tmp_path)

    def run_program(program: Callable[[], None], *arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", ["program", *arguments])
        program()

    return run_program


def run_all(run: Run) -> None:
    run(data.main)
    run(pretrain.main)
    for target in ("formation_energy_per_atom", "band_gap"):
        run(fusion.main, target)
    for kind in ("phonon", "electron"):
        run(dos.main, kind)


def digests(root: Path) -> dict[str, str]:
    outputs = sorted(path for folder in ("metrics", "plots") for path in (root / folder).rglob("*.*"))
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in outputs}


def refuse_nan(name: str) -> None:
    raise AssertionError(f"{name} in JSON")


def read_metrics(path: str) -> dict[str, dict[str, float]]:
    metrics: dict[str, dict[str, float]] = json.loads(Path(path).read_text(), parse_constant=refuse_nan)
    return metrics


def numbers_in(metrics: Mapping[str, Any]) -> list[float | None]:
    """Return what was measured, wherever in the tree; counts, units and what was expected are not measured."""
    values = []
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            values += numbers_in(value)
        elif name not in ("n", "unit", "expected_states_per_atom"):
            values.append(value)
    return values


def test_outputs_are_the_same_bytes_whatever_the_number_of_workers(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_world(tmp_path, n=60)
    seen = []
    for workers in ("1", "2"):
        monkeypatch.setattr(parallel, "SECONDS_BEFORE_WORKERS", 0.0)
        monkeypatch.setenv("XTALK_WORKERS", workers)
        run_all(run)
        seen.append(digests(tmp_path))
    assert seen[0] == seen[1]
    assert len(seen[0]) == 1 + 1 + 2 + 2 + 2 * 5 + 2 * 2 + 2 * 6


def test_fusion_metrics_are_those_of_the_table(run: Run, tmp_path: Path) -> None:
    world = write_world(tmp_path)
    run(fusion.main, "band_gap")
    metrics = read_metrics("metrics/fusion/band_gap.json")
    table = read_table(Path("data/predictions/fusion/band_gap.parquet")).to_pandas()
    test = table[table["split"] == "test"]
    train_mean = table.loc[table["split"] == "train", "true"].mean()
    assert set(metrics) == {"test", "val"}
    assert metrics["test"]["n"] == world.splits.count("test")
    assert metrics["test"]["fused_mae"] == pytest.approx((test["true"] - test["fused"]).abs().mean(), rel=1e-5)
    assert metrics["test"]["mean_baseline_mae"] == pytest.approx((test["true"] - train_mean).abs().mean(), rel=1e-5)
    with Path("plots/fusion/band_gap_parity.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["material_id"] for row in rows] == sorted(test["material_id"])
    assert float(rows[0]["predicted"]) == pytest.approx(test["fused"].iloc[0], rel=1e-5)


def test_dos_examples_hold_the_spectra_of_the_best_and_the_worst_crystal(run: Run, tmp_path: Path) -> None:
    write_world(tmp_path)
    run(dos.main, "phonon")
    with Path("plots/dos/phonon_errors.csv").open() as file:
        errors = {row["material_id"]: float(row["r2"]) for row in csv.DictReader(file)}
    with Path("plots/dos/phonon_examples.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["frequency"]) for row in rows] == pytest.approx(np.linspace(0, 1000, 51), rel=1e-5)
    table = read_table(Path("data/predictions/dos/phonon.parquet")).to_pandas().set_index("material_id")
    for role, choose in (("best", max), ("worst", min)):
        crystal = choose(errors, key=errors.__getitem__)
        shown = [float(row[f"{role}_predicted"]) for row in rows]
        assert shown == pytest.approx(list(table.loc[crystal, "predicted"]), rel=1e-5)


def test_pretrain_metrics_name_the_best_epoch_and_the_final_temperature(run: Run, tmp_path: Path) -> None:
    header = ["epoch", "learning_rate", "train_loss", "val_loss", "logit_scale"]
    rows = [[1, 0.1, 3.0, 2.5, 14.0], [2, 0.1, 2.0, 2.25, 15.0], [3, 0.1, 1.0, 2.75, 16.5]]
    write_csv(tmp_path / "data/logs/pretrain.csv", header, rows)
    run(pretrain.main)
    assert read_metrics("metrics/pretrain.json") == {
        "epochs": 3,
        "best_epoch": 2,
        "best_val_loss": 2.25,
        "final_train_loss": 1.0,
        "final_val_loss": 2.75,
        "final_logit_scale": 16.5,
    }


def test_a_run_that_averaged_weights_keeps_its_last_epoch(run: Run, tmp_path: Path) -> None:
    header = ["epoch", "learning_rate", "train_loss", "val_loss", "averaged_steps"]
    rows = [[1, 0.1, 3.0, 2.5, 0], [2, 0.1, 2.0, 2.25, 7], [3, 0.1, 1.0, 2.75, 14]]
    write_csv(tmp_path / "data/logs/pretrain.csv", header, rows)
    run(pretrain.main)
    metrics = read_metrics("metrics/pretrain.json")
    assert (metrics["best_epoch"], metrics["best_val_loss"], metrics["final_averaged_steps"]) == (3, 2.75, 14)


def test_training_without_a_validation_split_has_no_best_epoch(run: Run, tmp_path: Path) -> None:
    write_csv(tmp_path / "data/logs/pretrain.csv", ["epoch", "learning_rate", "train_loss"], [[1, 0.1, 3.0]])
    run(pretrain.main)
    metrics = read_metrics("metrics/pretrain.json")
    assert metrics["best_epoch"] is metrics["best_val_loss"] is metrics["final_val_loss"] is None
    assert metrics["final_train_loss"] == 3.0


def test_data_metrics_count_crystals_and_rejections(run: Run, tmp_path: Path) -> None:
    world = write_world(tmp_path)
    run(data.main)
    metrics = read_metrics("metrics/data.json")
    assert metrics["crystals"] == len(world.material_ids)
    assert metrics["split"] == {name: world.splits.count(name) for name in ("train", "val", "test")}
    assert metrics["split_manifest"] == {"scheme": "formula", "seed": 0}
    assert metrics["rejected"] == {"generate_cif": 2, "describe": 0, "build_graphs": 0}
    assert metrics["known"]["electron_dos"] == metrics["known"]["band_gap"] == len(world.material_ids)
    assert metrics["known"]["phonon_dos"] == metrics["known"]["narrative"] == 0


def test_no_test_crystal_gives_nulls_and_figures_that_say_so(run: Run, tmp_path: Path) -> None:
    write_world(tmp_path, n=30, test=False)
    run_all(run)
    for path in ("metrics/fusion/band_gap.json", "metrics/dos/phonon.json"):
        metrics = read_metrics(path)
        assert metrics["test"].pop("n") == 0
        assert set(numbers_in(metrics["test"])) == {None}
        assert metrics["val"]["n"] == 6
    assert Path("plots/dos/phonon_examples.csv").read_text().count("\n") == 1


def test_no_dos_at_all_gives_nulls(run: Run, tmp_path: Path) -> None:
    write_world(tmp_path, n=30, labelled=False)
    write_csv(tmp_path / "data/logs/dos/phonon.csv", ["epoch"], [])
    run(dos.main, "phonon")
    metrics = read_metrics("metrics/dos/phonon.json")
    assert metrics["test"]["n"] == metrics["val"]["n"] == 0
    assert Path("plots/training/dos/phonon.png").stat().st_size > 0


def test_an_unknown_or_missing_target_is_named_with_the_known_ones(run: Run, tmp_path: Path) -> None:
    write_world(tmp_path, n=10)
    with pytest.raises(StageError, match=r"'gap' is not a target.*band_gap"):
        run(fusion.main, "gap")
    with pytest.raises(StageError, match=r"give one target: .*band_gap"):
        run(fusion.main)


def test_figures_carry_no_date_and_no_version(run: Run, tmp_path: Path) -> None:
    write_world(tmp_path, n=30)
    run(fusion.main, "band_gap")
    png = Path("plots/fusion/band_gap_parity.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    assert not any(chunk in png for chunk in (b"tEXt", b"iTXt", b"zTXt", b"tIME"))
