"""The command from tables to results, in a folder of its own."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from stages.active.__main__ import main
from stages.shared.schemas import CRYSTALS_SCHEMA, SPLITS
from stages.shared.tables import write_table
from stages.shared.text_files import read_csv, read_json
from tests.pipeline.imports import ROOT
from tests.stages.graph_tables import simple_cubic, write_graph_rows

ELEMENTS = [*range(3, 58), *range(72, 86)]


def write_inputs(root: Path, with_phonons: bool) -> None:
    """Simple cubic elements whose phonon DOS is one peak that falls with the atomic number; each fourth has none."""
    names = [f"m-{number:03d}" for number in ELEMENTS]
    splits = [SPLITS[number % 3] for number in ELEMENTS]
    columns: dict[str, list[object]] = {name: [None] * len(names) for name in CRYSTALS_SCHEMA.names}
    columns |= {"material_id": list(names), "formula": list(names), "split": list(splits)}
    columns["band_gap"] = [number % 7 / 3 for number in ELEMENTS]
    if with_phonons:
        frequency = np.linspace(0.0, 700.0, 141)
        curves = [np.exp(-(((frequency - 600 + 6 * number) / 30) ** 2)) for number in ELEMENTS]
        columns["phdos_frequency"] = [frequency if number % 4 else None for number in ELEMENTS]
        columns["phdos_density"] = [
            curve if number % 4 else None for curve, number in zip(curves, ELEMENTS, strict=True)
        ]
    write_table(root / "data/crystals.parquet", columns, CRYSTALS_SCHEMA)
    for split in SPLITS:
        rows = [simple_cubic(f"m-{number:03d}", number) for number in ELEMENTS if SPLITS[number % 3] == split]
        write_graph_rows(root / f"data/graphs/{split}.parquet", rows)
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["active"] |= {"campaigns": 2, "rounds": 2, "initial_labels": 8}
    (root / "params.yaml").write_text(json.dumps(params), encoding="utf-8")


def run(root: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    monkeypatch.chdir(root)
    main()
    return {name: (root / name).read_bytes() for name in ("metrics/active.json", "plots/active.png", "data/active.csv")}


def test_two_runs_write_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_inputs(tmp_path, with_phonons=True)
    first = run(tmp_path, monkeypatch)
    shutil.rmtree(tmp_path / "plots")
    assert run(tmp_path, monkeypatch) == first
    stiff = read_json(tmp_path / "metrics/active.json")["objectives"]["stiff_lattice"]
    peaks = [600 - 6 * number for number in ELEMENTS if number % 4]
    assert (stiff["n_candidates"], stiff["n_hits"]) == (len(peaks), sum(peak >= 300 for peak in peaks))
    proposed = [row for row in read_csv(tmp_path / "data/active.csv") if row["objective"] == "stiff_lattice"]
    assert all(int(row["material_id"][2:]) % 4 == 0 for row in proposed)
    assert len(proposed) == 5


def test_without_phonons_there_is_a_sentence_and_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_inputs(tmp_path, with_phonons=False)
    run(tmp_path, monkeypatch)
    assert "stiff_lattice: no campaign; 0 crystals are known" in capsys.readouterr().out
    scores = read_json(tmp_path / "metrics/active.json")
    assert scores["objectives"]["stiff_lattice"] == {"n_candidates": 0, "n_hits": 0, "acquisitions": {}}
    assert scores["surrogate"]["phonon_mean_frequency"]["mae"] is None
    assert {row["objective"] for row in read_csv(tmp_path / "data/active.csv")} == set()
