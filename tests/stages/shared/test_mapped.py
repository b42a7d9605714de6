"""Gathering from memory-mapped files is indexing, and leaves nothing behind in memory."""

import pickle
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.shared.mapped import MappedTable, write_arrow

SCHEMA = pa.schema([pa.field("name", pa.string()), pa.field("numbers", pa.list_(pa.int32()))])
LISTS = st.lists(st.lists(st.integers(-9, 9), max_size=4), max_size=6)


def write(path: Path, batches: list[list[list[int]]]) -> Path:
    """Write one record batch for each list of lists."""
    return write_arrow(path, SCHEMA, [batch_of(lists) for lists in batches])


def batch_of(lists: list[list[int]]) -> pa.RecordBatch:
    columns = [
        pa.array([str(numbers) for numbers in lists], pa.string()),
        pa.array(lists, SCHEMA.field("numbers").type),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.lists(LISTS, max_size=4), min_size=1, max_size=3), st.data())
def test_gathering_is_indexing_whatever_the_files_and_record_batches(
    files: list[list[list[list[int]]]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        table = MappedTable([write(Path(folder) / f"{place}", file) for place, file in enumerate(files)])
    expected = [numbers for file in files for batch in file for numbers in batch]
    assert len(table) == len(expected)
    assert table.file_lengths == [sum(map(len, file)) for file in files]
    assert table.lengths("numbers").tolist() == [len(numbers) for numbers in expected]
    assert table.column("name").to_pylist() == [str(numbers) for numbers in expected]
    if expected:
        rows = data.draw(st.lists(st.integers(0, len(expected) - 1), min_size=1, max_size=9))
        gathered = table.gather(["numbers"], np.array(rows))["numbers"]
        assert [numbers.tolist() for numbers in gathered.split()] == [expected[row] for row in rows]


def test_what_was_gathered_is_a_copy(tmp_path: Path) -> None:
    table = MappedTable([write(tmp_path / "table.arrow", [[[1, 2]]])])
    table.gather(["numbers"], np.array([0]))["numbers"].values[:] = 7
    assert table.gather(["numbers"], np.array([0]))["numbers"].values.tolist() == [1, 2]


def test_a_file_of_an_earlier_run_is_taken_as_it_is(tmp_path: Path) -> None:
    write(tmp_path / "table.arrow", [[[1]]])
    assert len(MappedTable([write(tmp_path / "table.arrow", [[[2], [3]]])])) == 1


def test_a_run_killed_while_it_writes_leaves_no_file(tmp_path: Path) -> None:
    def interrupted() -> object:
        yield batch_of([[1]])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_arrow(tmp_path / "table.arrow", SCHEMA, interrupted())  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_no_page_of_the_file_stays_resident_after_an_epoch(tmp_path: Path) -> None:
    numbers = list(range(200))
    path = write(tmp_path / "table.arrow", [[numbers] * 256 for _ in range(40)])
    table = MappedTable([path])
    for rows in np.array_split(np.random.RandomState(0).permutation(len(table)), 40):
        table.gather(["numbers"], rows)
    assert path.stat().st_size > 2**22
    assert resident(path) < 2**20


def test_no_page_of_the_file_stays_resident_after_a_whole_column(tmp_path: Path) -> None:
    path = write(tmp_path / "table.arrow", [[list(range(200))] * 256 for _ in range(40)])
    table = MappedTable([path])
    assert resident(path) < 2**20, "opened"
    assert table.lengths("numbers").tolist() == [200] * len(table)
    assert resident(path) < 2**20
    assert len(table.column("numbers")) == len(table)
    assert resident(path) < 2**20


def resident(path: Path) -> int:
    """Return the bytes of a mapped file that are in this process's memory."""
    lines = iter(Path("/proc/self/smaps").read_text(encoding="ascii").splitlines())
    found = [next(line for line in lines if line.startswith("Rss:")) for header in lines if header.endswith(str(path))]
    assert found
    return sum(int(line.split()[1]) * 1024 for line in found)


def test_another_process_maps_the_files_itself(tmp_path: Path) -> None:
    schema = pa.schema([("x", pa.list_(pa.float32()))])
    batch = pa.record_batch([pa.array([[1.0] * 1000, [2.0] * 500], type=schema.field("x").type)], schema=schema)
    table = MappedTable([write_arrow(tmp_path / "x.arrow", schema, [batch])])
    sent = pickle.dumps(table)
    assert len(sent) < 500, "paths, no rows"
    received = pickle.loads(sent)  # noqa: S301  # made here
    rows = np.array([1, 0])
    np.testing.assert_array_equal(received.gather(["x"], rows)["x"].values, table.gather(["x"], rows)["x"].values)
