"""Crystalformer's sets of moduli, published as pickles: data/splits/README.md says what to do with them."""

import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from stages.fetch.own import copy_own
from stages.generate_cif.__main__ import main as generate_cif
from stages.shared.params import OwnFetchParams
from stages.shared.sources.record import jarvis_structure
from stages.shared.structures import structure_from_cif
from stages.shared.tables import read_csv, read_json, read_table
from tests.stages.raw_records import ROOT, read_sample_json

COUNTS = {"train": 12, "val": 3, "test": 4}
(CODE,) = re.findall(r"```python\n(.*?)```", (ROOT / "data/splits/README.md").read_text(encoding="utf-8"), re.DOTALL)


class _RunsAProgram:
    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return Path.write_text, (Path("it_ran"), "yes")  # type: ignore[return-value]


def _convert(modulus: str) -> subprocess.CompletedProcess[str]:
    """Run the lines of the README in the current folder, as a user would."""
    for folder in ("data/own", "data/splits"):
        Path(folder).mkdir(parents=True)
    Path("convert.py").write_text(CODE.replace('modulus = "bulk"', f'modulus = "{modulus}"'), encoding="utf-8")
    return subprocess.run([sys.executable, "convert.py"], check=False, capture_output=True, text=True)


def _published(modulus: str) -> dict[str, list[dict[str, Any]]]:
    """Records with the fields that Crystalformer's script reads of the pickles, in an order of no meaning."""
    records = [one for one in read_sample_json("jarvis_dft_3d.json.gz") if len(one["atoms"]["elements"]) <= 8]
    shuffled = np.random.RandomState(0).permutation(len(records))[: sum(COUNTS.values())]
    rows = [
        {"id": f"mp-{place}", f"{modulus} modulus": np.float64(place / 100), "atoms": records[place]["atoms"]}
        for place in shuffled
    ]
    starts = np.cumsum([0, *COUNTS.values()])
    return {split: rows[start : start + COUNTS[split]] for split, start in zip(COUNTS, starts, strict=False)}


@pytest.mark.parametrize("modulus", ["bulk", "shear"])
def test_the_lines_of_the_readme_give_each_crystal_its_published_split_and_label(
    modulus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XTALK_WORKERS", "1")
    published = _published(modulus)
    for split, rows in published.items():
        Path(f"{modulus}_megnet_{split}.pkl").write_bytes(pickle.dumps(rows))
    assert _convert(modulus).returncode == 0

    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["generate_cif"]["split"]["scheme"] = "file"
    Path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    copy_own(OwnFetchParams(directory="data/own"), Path("data/raw/own"))
    generate_cif()

    assert read_csv(Path("data/rejected.csv")) == []
    expected = {row["id"]: (split, row) for split, rows in published.items() for row in rows}
    found = read_table(Path("data/crystals.parquet")).to_pylist()
    assert [one["material_id"] for one in found] == sorted(expected)
    for one in found:
        split, row = expected[one["material_id"]]
        assert (one["split"], one[f"log10_{modulus}_modulus"]) == (split, row[f"{modulus} modulus"])
        assert one[f"{modulus}_modulus"] is None  # that is in GPa
        structure = jarvis_structure(row["atoms"])
        assert structure_from_cif(one["cif"]).composition == structure.composition
        assert one["volume_per_atom"] == pytest.approx(structure.volume / len(structure))
    manifest = read_json(Path("data/crystals_counts.json"))["split"]
    assert (manifest["without_split"], manifest["ids_not_found"]) == (0, 0)


def test_a_pickle_that_would_run_something_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bulk_megnet_train.pkl").write_bytes(pickle.dumps([_RunsAProgram()]))
    result = _convert("bulk")
    assert result.returncode != 0
    assert "might run something" in result.stderr
    assert not Path("it_ran").exists()
