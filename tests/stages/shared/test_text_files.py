import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.shared.text_files import csv_writer, read_csv, read_json, write_csv, write_json


@given(st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False)))
def test_json_keeps_six_digits_and_sorts_its_keys(
    tmp_path_factory: pytest.TempPathFactory, value: dict[str, float]
) -> None:
    path = tmp_path_factory.mktemp("j") / "v.json"
    write_json(path, value)
    read = read_json(path)
    assert list(read) == sorted(value)
    for key, number in value.items():
        assert read[key] == pytest.approx(number, rel=5.1e-6, abs=1e-300)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32("nan")])
def test_json_refuses_what_is_not_a_number(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "v.json", {"a": [value]})
    assert list(tmp_path.iterdir()) == []


def test_a_csv_table_that_breaks_off_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    write_csv(path, ["id"], [["old"]])
    with contextlib.suppress(ValueError), csv_writer(path, ["id"]) as table:
        table.append(["new"])
        int("no number")
    assert read_csv(path) == [{"id": "old"}]
    assert list(tmp_path.iterdir()) == [path]


def test_csv_round_trip_with_commas_quotes_and_unknown_values(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ["id", "reason"], [['a"b', "x, y\nz"], ["c", None]])
    assert read_csv(tmp_path / "t.csv") == [{"id": 'a"b', "reason": "x, y\nz"}, {"id": "c", "reason": ""}]
