"""The stage as a program: the same bytes however the work is divided, and never half a table."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from stages.build_graphs import __main__ as build_graphs
from stages.build_graphs import batches
from stages.shared import parallel
from stages.shared.schemas import SPLITS
from stages.shared.tables import read_table
from stages.shared.text_files import read_csv
from tests.stages.build_graphs.settings import set_chunk_size
from tests.stages.crystal_table import write_crystals
from tests.stages.dask_cluster import dask_cluster
from tests.stages.raw_records import ROOT

N_CRYSTALS = 30


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with crystals of all splits and of none, two of which have no readable CIF."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XTALK_WORKERS", "1")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    random = np.random.RandomState(0)
    crystals: dict[str, Structure | str] = {
        f"m{number:02d}": Structure(Lattice.cubic(3 + random.rand()), ["Na", "Cl"], random.rand(2, 3))
        for number in range(N_CRYSTALS)
    }
    crystals |= {"m05": "data_nothing", "m20": "no CIF at all"}
    splits = (*SPLITS, None)
    write_crystals(build_graphs.CRYSTALS, crystals, {name: splits[place % 4] for place, name in enumerate(crystals)})


def outputs() -> dict[str, bytes]:
    paths = [build_graphs.REJECTED, *(build_graphs.GRAPHS / f"{split}.parquet" for split in SPLITS)]
    return {path.name: path.read_bytes() for path in paths}


@pytest.mark.parametrize(("workers", "chunk_size"), [(1, 1), (1, 7), (2, 1), (2, 7), (3, 4)])
def test_the_bytes_depend_neither_on_workers_nor_on_chunks(
    monkeypatch: pytest.MonkeyPatch, workers: int, chunk_size: int
) -> None:
    build_graphs.main()
    expected = outputs()
    set_chunk_size(chunk_size)
    monkeypatch.setattr(parallel, "SECONDS_BEFORE_WORKERS", 0.0)
    monkeypatch.setenv("XTALK_WORKERS", str(workers))
    build_graphs.main()
    assert outputs() == expected


def test_dask_workers_write_the_same_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    build_graphs.main()
    expected = outputs()
    set_chunk_size(7)
    with dask_cluster(2, tmp_path) as (address, _):
        monkeypatch.setenv("XTALK_DASK_SCHEDULER", address)
        build_graphs.main()
    assert outputs() == expected


def test_every_crystal_is_in_the_table_of_its_split_or_rejected_with_a_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    build_graphs.main()
    assert "30 crystals = 21 graphs + 2 rejected + 7 in no split" in capsys.readouterr().out
    found = {}
    for split in SPLITS:
        names = read_table(build_graphs.GRAPHS / f"{split}.parquet", ["material_id"])["material_id"].to_pylist()
        assert names == sorted(names)
        found |= dict.fromkeys(names, split)
    names = [f"m{number:02d}" for number in range(N_CRYSTALS)]
    in_a_split = {name: SPLITS[place % 4] for place, name in enumerate(names) if place % 4 < 3}
    assert found == {name: split for name, split in in_a_split.items() if name not in ("m05", "m20")}
    rejected = read_csv(build_graphs.REJECTED)
    assert [row["source_id"] for row in rejected] == ["m05", "m20"]
    assert all("CIF cannot be read" in row["reason"] for row in rejected)


def test_a_run_that_fails_leaves_the_tables_of_the_run_before(monkeypatch: pytest.MonkeyPatch) -> None:
    build_graphs.main()
    before = outputs()

    def failing(*args: object, **options: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(batches, "graph_row", failing)
    with pytest.raises(OSError, match="disk full"):
        build_graphs.main()
    assert outputs() == before
    assert {path.name for path in build_graphs.GRAPHS.iterdir()} == {f"{split}.parquet" for split in SPLITS}
