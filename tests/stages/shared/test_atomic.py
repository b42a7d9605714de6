from collections.abc import Callable
from pathlib import Path

import pytest

from stages.shared.atomic import atomic_file
from stages.shared.errors import StageError
from stages.shared.tables import read_table
from stages.shared.text_files import read_csv, read_json


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with atomic_file(path) as file:
            file.write(b"new and incomplete")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        interrupted()
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("read", [read_table, read_json, read_csv])
def test_a_file_that_is_not_there_yet_is_one_sentence(tmp_path: Path, read: Callable[[Path], object]) -> None:
    with pytest.raises(StageError, match="does not exist; run `dvc repro`"):
        read(tmp_path / "file")
