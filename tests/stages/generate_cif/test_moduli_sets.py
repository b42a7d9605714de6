"""Crystalformer's sets of moduli, selected by name: from the pickles of figshare to crystals with split and label."""

import os
import pickle
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from stages.generate_cif.__main__ import main as generate_cif
from stages.shared.errors import StageError
from stages.shared.sources.record import jarvis_structure
from stages.shared.structures import structure_from_cif
from stages.shared.tables import read_table
from stages.shared.text_files import read_csv, read_json
from tests.stages.fetch.figshare import NUMBERS, Figshare
from tests.stages.fetch.loopback import serve
from tests.stages.fetch.stage_runs import fetch, remote_params
from tests.stages.raw_records import jarvis_atoms, read_sample_json

COUNTS = {"train": 12, "val": 3, "test": 4}


class _RunsAProgram:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch it_ran",)


def _published(modulus: str) -> dict[str, list[dict[str, Any]]]:
    """Records with fields of the published ones, in an order of no meaning; the last in val has no target."""
    records = [one for one in read_sample_json("jarvis_dft_3d.json.gz") if len(one["atoms"]["elements"]) <= 8]
    shuffled = np.random.RandomState(0).permutation(len(records))[: sum(COUNTS.values())]
    rows = [
        {
            "id": f"mp-{place}",
            "atoms": records[place]["atoms"],
            "bulk modulus": np.float64(place / 100),
            "shear modulus": np.float64(place / 200),
            "e_form": place / 50,
            "gap pbe": 0.5,
            "elastic anisotropy": "na",
        }
        for place in shuffled
    ]
    starts = np.cumsum([0, *COUNTS.values()])
    splits = {split: rows[start : start + COUNTS[split]] for split, start in zip(COUNTS, starts, strict=False)}
    splits["val"][-1][f"{modulus} modulus"] = np.float64("nan")
    return splits


def _fetch(modulus: str, contents: Mapping[str, bytes], scheme: str = "target_set") -> subprocess.CompletedProcess[str]:
    """Write params.yaml that selects a set, and download its files, by split, into the current folder."""
    remote_params(Path(), "jarvis", datasets=[f"megnet_{modulus}"])
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    params["generate_cif"]["split"] |= {"scheme": scheme, "target_set": f"jarvis__megnet-{modulus}"}
    Path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    files = {NUMBERS[f"jarvis_megnet_{modulus}_{split}.pkl"]: content for split, content in contents.items()}
    with serve(Figshare(files)) as server:
        return fetch(Path(), "jarvis", {"XTALK_FIGSHARE_ENDPOINT": server.url})


@pytest.mark.parametrize(("modulus", "protocol"), [("bulk", 4), ("shear", 2)])
def test_each_crystal_gets_its_published_split_and_label(
    modulus: str, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XTALK_WORKERS", "1")
    published = _published(modulus)
    contents = {split: pickle.dumps(rows, protocol) for split, rows in published.items()}
    run = _fetch(modulus, contents)
    assert run.returncode == 0, run.stderr
    for split, content in contents.items():
        assert Path(f"data/raw/jarvis/jarvis_megnet_{modulus}_{split}.pkl").read_bytes() == content
    generate_cif()

    assert read_csv(Path("data/rejected.csv")) == []
    expected = {row["id"]: (split, row) for split, rows in published.items() for row in rows}
    found = read_table(Path("data/crystals.parquet")).to_pylist()
    assert [one["material_id"] for one in found] == sorted(expected)
    for one in found:
        split, row = expected[one["material_id"]]
        label = row[f"{modulus} modulus"]
        has_label = bool(np.isfinite(label))
        assert (one["split"], one[f"log10_{modulus}_modulus"]) == ((split, label) if has_label else (None, None))
        assert (one["bulk_modulus"], one["shear_modulus"]) == (None, None)  # these are in GPa
        assert (one["formation_energy_per_atom"], one["band_gap"]) == (row["e_form"], 0.5)
        structure = jarvis_structure(row["atoms"])
        assert structure_from_cif(one["cif"]).composition == structure.composition
        assert one["volume_per_atom"] == pytest.approx(structure.volume / len(structure))
    counts = read_json(Path("data/crystals_counts.json"))
    assert (counts["split"]["without_split"], counts["split"]["ids_not_found"]) == (1, 0)
    assert {file["figshare_file"] for file in counts["raw_files"]["jarvis"].values()} == {
        number for name, number in NUMBERS.items() if f"megnet_{modulus}_" in name
    }


def test_a_pickle_that_would_run_something_gives_no_crystal_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XTALK_WORKERS", "1")
    good = pickle.dumps([{"id": "mp-1", "atoms": jarvis_atoms(), "bulk modulus": np.float64(1.5)}])
    hostile = pickle.dumps([{"id": "mp-2", "atoms": jarvis_atoms(), "bulk modulus": _RunsAProgram()}])
    run = _fetch("bulk", {"train": good, "val": hostile, "test": good}, scheme="formula")
    assert run.returncode == 0, run.stderr
    generate_cif()

    assert read_table(Path("data/crystals.parquet")).column("material_id").to_pylist() == ["mp-1"]
    refused, repeated = read_csv(Path("data/rejected.csv"))
    assert refused["source_id"] == "behind record 0 of jarvis_megnet_bulk_val"
    assert "names 'posix system', which might run something" in refused["reason"]
    assert repeated["source_id"] == "mp-1"

    text = Path("params.yaml").read_text(encoding="utf-8")
    Path("params.yaml").write_text(text.replace("scheme: formula", "scheme: target_set"), encoding="utf-8")
    with pytest.raises(StageError, match=r"the whole data set, but jarvis_megnet_bulk_val.* might run something"):
        generate_cif()
    assert not list(tmp_path.rglob("it_ran"))
