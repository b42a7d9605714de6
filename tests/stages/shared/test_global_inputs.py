"""Numbers that the DOS transformer reads beside the structure."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.shared.global_inputs import read_global_inputs

COLUMNS = {
    "material_id": ["a", "b", "c", "d"],
    "split": ["train", "test", "train", "train"],
    "band_gap": [1.0, 7.0, 3.0, None],
    "density": [5.0, 6.0, 5.0, 5.0],
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    pq.write_table(pa.table(COLUMNS), tmp_path / "crystals.parquet")
    return tmp_path


def test_numbers_are_standardised_over_the_train_split(data: Path) -> None:
    found = read_global_inputs(data, ["band_gap"]).of(pa.array(["b", "a", "c"]))
    np.testing.assert_allclose(found, [[5.0], [-1.0], [1.0]])  # mean 2, standard deviation 1


def test_an_unknown_number_is_the_mean(data: Path) -> None:
    assert read_global_inputs(data, ["band_gap"]).of(pa.array(["d"])).tolist() == [[0.0]]


def test_a_number_that_is_the_same_for_all_is_only_shifted(data: Path) -> None:
    found = read_global_inputs(data, ["density", "band_gap"]).of(pa.array(["a", "b"]))
    np.testing.assert_allclose(found, [[0.0, -1.0], [1.0, 5.0]])


def test_without_columns_there_are_no_numbers(data: Path) -> None:
    assert read_global_inputs(data, []).of(pa.array(["a", "b"])).shape == (2, 0)
