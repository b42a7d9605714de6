import numpy as np
import pytest

from stages.shared.parts import row_parts


@pytest.mark.parametrize(
    ("n_rows", "size", "lengths"), [(0, 4, []), (3, 4, [3]), (4, 4, [4]), (9, 4, [4, 4, 1]), (3, 1, [1, 1, 1])]
)
def test_parts_hold_every_row_once_and_in_order(n_rows: int, size: int, lengths: list[int]) -> None:
    parts = row_parts(n_rows, size)
    assert [len(part) for part in parts] == lengths
    np.testing.assert_array_equal(np.concatenate([np.zeros(0, dtype=int), *parts]), np.arange(n_rows))
