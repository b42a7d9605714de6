"""Embeddings that somebody brings along, in the many ways such files can be wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.embed.collect import Embedded, embed_all
from stages.embed.embedder import CrystalEntry
from stages.embed.files import FileEmbedder
from stages.shared.errors import StageError

VALUES = np.arange(12, dtype=np.float64).reshape(3, 4) / 7


def write(path: Path, names: list[str], embeddings: Any, type_: pa.DataType | None = None) -> None:
    column = pa.array([None if one is None else list(one) for one in embeddings], type=type_)
    pq.write_table(pa.table({"material_id": names, "embedding": column, "note": ["x"] * len(names)}), path)


def embed(folder: Path, *names: str) -> Embedded:
    return embed_all(FileEmbedder(folder), [CrystalEntry(name, "") for name in names])


@pytest.mark.parametrize("type_", [pa.list_(pa.float64()), pa.list_(pa.float32(), 4), pa.large_list(pa.float32())])
def test_parquet_files_of_any_kind_of_list_are_read(tmp_path: Path, type_: pa.DataType) -> None:
    write(tmp_path / "one.parquet", ["b", "a"], VALUES[:2], type_)
    write(tmp_path / "two.parquet", ["c"], VALUES[2:], type_)
    embedded = embed(tmp_path, "c", "a", "b")
    assert embedded.reasons == {}
    assert list(embedded.embeddings) == ["a", "b", "c"]
    np.testing.assert_array_equal(list(embedded.embeddings.values()), VALUES[[1, 0, 2]].astype(np.float32))


def test_npy_files_and_a_parquet_file_go_together(tmp_path: Path) -> None:
    write(tmp_path / "table.parquet", ["a", "b"], VALUES[:2])
    np.save(tmp_path / "mp-1.5.npy", VALUES[2])
    found = embed(tmp_path, "a", "mp-1.5").embeddings
    np.testing.assert_array_equal(found["mp-1.5"], VALUES[2].astype(np.float32))
    assert found["a"].dtype == found["mp-1.5"].dtype == np.float32


def test_every_crystal_without_a_good_embedding_is_listed_with_the_reason(tmp_path: Path) -> None:
    names = ["good", "better", "null", "nan", "short", "twice", "both"]
    embeddings = [VALUES[0], VALUES[1], None, [np.nan, 0, 0, 0], [1.0, 2.0], VALUES[0], VALUES[0]]
    write(tmp_path / "table.parquet", [*names, "twice"], [*embeddings, VALUES[1]])
    np.save(tmp_path / "both.npy", VALUES[0])
    np.save(tmp_path / "atoms.npy", VALUES)
    np.save(tmp_path / "words.npy", np.array(["a", "b"]))
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (tmp_path / "empty.npy").touch()
    bad = {
        "null": "is empty",
        "nan": "not finite",
        "short": "2 numbers, where most others have 4",
        "twice": "listed 2 times, in table.parquet",
        "both": "listed 2 times, in both.npy and table.parquet",
        "atoms": "shape (3, 4)",
        "words": "instead of one row of real numbers",
        "objects": "cannot be read as an array",
        "empty": "cannot be read as an array",
        "absent": "no file",
    }
    embedded = embed(tmp_path, *bad, "good", "better")
    assert list(embedded.embeddings) == ["better", "good"]
    assert list(embedded.reasons) == sorted(bad)
    for name, words in bad.items():
        assert words in embedded.reasons[name]


@pytest.mark.parametrize("folder", ["", "missing"])
def test_a_folder_without_files_is_an_error_that_says_where_to_read_on(tmp_path: Path, folder: str) -> None:
    (tmp_path / "README.md").touch()
    with pytest.raises(StageError, match=r"holds no \.parquet and no \.npy file.*README"):
        FileEmbedder(tmp_path / folder)


def test_a_parquet_file_with_other_columns_is_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["a"], "vector": [[1.0]]}), tmp_path / "odd.parquet")
    with pytest.raises(StageError, match=r"odd\.parquet must have the columns material_id and embedding"):
        FileEmbedder(tmp_path)
    write(tmp_path / "odd.parquet", ["a"], [["x", "y"]])
    with pytest.raises(StageError, match=r"odd\.parquet must have .* a list of numbers"):
        FileEmbedder(tmp_path)
    (tmp_path / "odd.parquet").write_text("no parquet")
    with pytest.raises(StageError, match=r"odd\.parquet"):
        FileEmbedder(tmp_path)


def test_an_empty_table_leaves_every_crystal_without(tmp_path: Path) -> None:
    write(tmp_path / "none.parquet", [], [], pa.list_(pa.float32()))
    assert embed(tmp_path, "a").reasons == {"a": f"no file in {tmp_path} has it"}
