import hashlib
import os
import pickle
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.shared.tables import (
    ROW_GROUP_SIZE,
    iterate_batches,
    iterate_rows,
    read_table,
    record_batch,
    row_writer,
    write_table,
)

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = pa.schema([("material_id", pa.string()), pa.field("x", pa.list_(pa.float32()), metadata={b"unit": b"eV"})])

WRITE = """
import sys, pyarrow as pa
from pathlib import Path
from stages.shared.tables import write_table
schema = pa.schema([("id", pa.string()), ("x", pa.list_(pa.float64()))])
ids = sorted({f"m{i}" for i in range(3000)})
write_table(Path(sys.argv[1]), {"x": [[0.1 * i] for i in range(3000)], "id": ids}, schema)
"""


def test_parquet_has_the_same_bytes_in_another_process_with_other_settings(tmp_path: Path) -> None:
    digests = set()
    for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo")):
        file = tmp_path / f"{seed}.parquet"
        env = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C"}
        subprocess.run([sys.executable, "-c", WRITE, str(file)], check=True, cwd=ROOT, env=env)
        digests.add(hashlib.sha256(file.read_bytes()).hexdigest())
    assert len(digests) == 1


def test_parquet_keeps_values_nulls_and_units(tmp_path: Path) -> None:
    columns = {"x": [np.array([1.5, 2.5]), None, []], "material_id": ["a", "b", "c"]}
    write_table(tmp_path / "t.parquet", columns, SCHEMA)
    table = read_table(tmp_path / "t.parquet")
    assert table.to_pydict() == {"material_id": ["a", "b", "c"], "x": [[1.5, 2.5], None, []]}
    assert table.schema.field("x").metadata[b"unit"] == b"eV"


def test_columns_that_do_not_fit_the_schema_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="do not match the schema"):
        write_table(tmp_path / "t.parquet", {"material_id": []}, SCHEMA)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("n_rows", [0, 1, ROW_GROUP_SIZE - 1, ROW_GROUP_SIZE, ROW_GROUP_SIZE + 1, 3 * ROW_GROUP_SIZE])
def test_rows_one_by_one_give_the_file_that_whole_columns_give(tmp_path: Path, n_rows: int) -> None:
    random = np.random.RandomState(n_rows)
    lists = [None if random.rand() < 0.2 else random.randn(random.randint(9)) for _ in range(n_rows)]
    names = [f"mp-{number}" for number in range(n_rows)]
    write_table(tmp_path / "at once", {"material_id": names, "x": lists}, SCHEMA)
    with row_writer(tmp_path / "by rows", SCHEMA) as rows:
        for name, x in zip(names, lists, strict=True):
            rows.append({"x": x, "material_id": name})
    assert (tmp_path / "at once").read_bytes() == (tmp_path / "by rows").read_bytes()
    assert pq.ParquetFile(tmp_path / "by rows").num_row_groups == max(1, -(-n_rows // ROW_GROUP_SIZE))
    assert list(iterate_rows(tmp_path / "by rows", SCHEMA.names)) == read_table(tmp_path / "by rows").to_pylist()


@given(st.lists(st.tuples(st.integers(0, 3 * ROW_GROUP_SIZE), st.booleans()), max_size=5))
def test_batches_of_any_size_among_rows_give_the_file_that_whole_columns_give(parts: list[tuple[int, bool]]) -> None:
    n_rows = sum(size for size, _ in parts)
    lists = [[float(number)] * (number % 3) if number % 5 else None for number in range(n_rows)]
    rows = [{"material_id": f"mp-{number}", "x": x} for number, x in enumerate(lists)]
    with tempfile.TemporaryDirectory() as folder:
        whole, parted = Path(folder, "whole"), Path(folder, "parted")
        write_table(whole, {name: [row[name] for row in rows] for name in SCHEMA.names}, SCHEMA)
        left = iter(rows)
        with row_writer(parted, SCHEMA) as table:
            for size, as_batch in parts:
                taken = list(islice(left, size))
                if as_batch:
                    table.append_batch(record_batch(taken, SCHEMA))
                else:
                    for row in taken:
                        table.append(row)
        assert table.n_rows == n_rows
        assert parted.read_bytes() == whole.read_bytes()


def test_a_batch_of_another_schema_is_refused(tmp_path: Path) -> None:
    doubles = pa.schema([("material_id", pa.string()), ("x", pa.list_(pa.float64()))])
    with (
        pytest.raises(ValueError, match="schema is not that of the table"),
        row_writer(tmp_path / "t.parquet", SCHEMA) as table,
    ):
        table.append_batch(record_batch([{"material_id": "a", "x": [1.0]}], doubles))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("n_rows", [100, 256])
def test_a_batch_that_is_read_carries_no_other_rows_to_another_process(tmp_path: Path, n_rows: int) -> None:
    columns = {"material_id": [f"mp-{n}" for n in range(3000)], "x": [[float(n)] * 50 for n in range(3000)]}
    write_table(tmp_path / "t.parquet", columns, SCHEMA)
    batches = list(iterate_batches(tmp_path / "t.parquet", n_rows))
    assert [name for batch in batches for name in batch["material_id"].to_pylist()] == columns["material_id"]
    for batch in batches:
        assert len(pickle.dumps(batch)) < 1.2 * batch.num_rows * 4 * 50 + 4000


def test_reading_row_by_row_does_not_keep_what_was_read(tmp_path: Path) -> None:
    path, n_groups, width = tmp_path / "t.parquet", 24, 100
    random = np.random.RandomState(0)
    with row_writer(path, SCHEMA) as rows:
        for number in range(n_groups * ROW_GROUP_SIZE):
            rows.append({"material_id": str(number), "x": random.randn(width)})
    group_bytes = 4 * width * ROW_GROUP_SIZE
    before = pa.total_allocated_bytes()
    held = [
        pa.total_allocated_bytes() - before
        for number, _ in enumerate(iterate_rows(path, ["x"]))
        if number % ROW_GROUP_SIZE == ROW_GROUP_SIZE - 1
    ]
    assert len(held) == n_groups
    assert max(held) < held[0] + group_bytes


def test_the_encoder_keeps_less_than_a_row_group(tmp_path: Path) -> None:
    schema, width = pa.schema([("x", pa.list_(pa.int8()))]), 2000
    encoded_bytes = 4 * width * ROW_GROUP_SIZE  # parquet has no integers of fewer than 32 bits
    before = pa.total_allocated_bytes()
    with row_writer(tmp_path / "t.parquet", schema) as rows:
        for _ in range(ROW_GROUP_SIZE):
            rows.append({"x": np.ones(width, dtype=np.int8)})
        assert pa.total_allocated_bytes() - before < encoded_bytes


def test_a_failure_between_two_rows_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with row_writer(path, SCHEMA) as rows:
            for number in range(ROW_GROUP_SIZE + 1):
                rows.append({"material_id": str(number), "x": []})
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        interrupted()
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["t.parquet"]


def test_a_row_that_does_not_fit_the_schema_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="do not match the schema"),
        row_writer(tmp_path / "t.parquet", SCHEMA) as rows,
    ):
        rows.append({"material_id": "a"})
    assert list(tmp_path.iterdir()) == []
