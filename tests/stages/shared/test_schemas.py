"""What any table holds comes back from parquet as it was: the types, the nulls, the units and every value."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.shared import schemas
from stages.shared.tables import read_table, row_writer, write_table

SCHEMAS = {name: value for name, value in vars(schemas).items() if isinstance(value, pa.Schema)}

Rows = list[dict[str, Any]]


def values_of(type_: pa.DataType) -> st.SearchStrategy[Any]:
    """Values a column of this type may hold: any text of UTF-8, any number of its width, empty lists too."""
    if pa.types.is_map(type_):
        pairs = st.dictionaries(values_of(type_.key_type), values_of(type_.item_type), max_size=3)
        return pairs.map(lambda one: list(one.items()))
    if pa.types.is_list(type_):
        return st.lists(values_of(type_.value_type), max_size=5)
    if pa.types.is_floating(type_):
        return st.floats(width=type_.bit_width)
    if pa.types.is_integer(type_):
        limits = np.iinfo(type_.to_pandas_dtype())
        return st.integers(int(limits.min), int(limits.max))
    if pa.types.is_boolean(type_):
        return st.booleans()
    assert pa.types.is_string(type_)
    return st.text(st.characters(codec="utf-8"), max_size=10) | st.sampled_from(["", "CO₂, Å³", "«\n\t\0»", "NaN", "𝟙"])


def rows_of(schema: pa.Schema) -> st.SearchStrategy[Rows]:
    """Tables of up to five rows; anything may be null."""
    return st.lists(
        st.fixed_dictionaries({field.name: st.none() | values_of(field.type) for field in schema}), max_size=5
    )


def same(found: Any, expected: Any) -> bool:
    """Equal, not-a-number to itself and to nothing else, and minus zero to itself."""
    if isinstance(expected, list):
        return isinstance(found, list) and len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(expected, tuple):
        return isinstance(found, tuple) and all(map(same, found, expected))
    if isinstance(expected, float):
        if math.isnan(expected):
            return isinstance(found, float) and math.isnan(found)
        return bool(found == expected) and math.copysign(1, found) == math.copysign(1, expected)
    return type(found) is type(expected) and found == expected


@pytest.mark.parametrize("name", sorted(SCHEMAS))
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_every_value_comes_back(tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject) -> None:
    schema = SCHEMAS[name]
    rows = data.draw(rows_of(schema))
    folder = tmp_path_factory.mktemp("table")
    write_table(folder / "whole", {column: [row[column] for row in rows] for column in schema.names}, schema)
    with row_writer(folder / "by_row", schema) as writer:
        for row in rows:
            writer.append(row)
    for file in ("whole", "by_row"):
        table = read_table(folder / file)
        assert table.schema.equals(schema)
        assert [field.metadata for field in table.schema] == [field.metadata for field in schema]
        found = table.to_pylist()
        assert len(found) == len(rows)
        for read, written in zip(found, rows, strict=True):
            assert all(same(read[column], written[column]) for column in schema.names), (read, written)


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_one_column_can_be_read_without_the_others(tmp_path: Path, name: str) -> None:
    schema = SCHEMAS[name]
    write_table(tmp_path / "t", {column: [None, None] for column in schema.names}, schema)
    for column in schema.names:
        assert read_table(tmp_path / "t", [column]).to_pydict() == {column: [None, None]}


@pytest.mark.parametrize(
    ("type_", "value"),
    [(pa.uint8(), 256), (pa.uint8(), -1), (pa.int8(), 128), (pa.int32(), 2**31), (pa.string(), "\ud800")],
)
def test_a_value_that_its_column_cannot_hold_is_refused_and_leaves_no_file(
    tmp_path: Path, type_: pa.DataType, value: object
) -> None:
    with pytest.raises((pa.ArrowInvalid, UnicodeEncodeError, OverflowError)):
        write_table(tmp_path / "t", {"x": [value]}, pa.schema([("x", type_)]))
    assert list(tmp_path.iterdir()) == []
