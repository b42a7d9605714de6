from pathlib import Path

import pytest

from stages.generate_cif.index_files import read_index_files
from stages.shared.errors import StageError


def write(folder: Path, **texts: str) -> Path:
    """Write `train_txt=...` as train.txt."""
    for name, text in texts.items():
        (folder / name.replace("_", ".")).write_text(text, encoding="utf-8")
    return folder


def test_text_and_json_lists_are_the_same_whatever_their_line_ends_blanks_and_repetitions(tmp_path: Path) -> None:
    texts = {"train_txt": "\ufeffmp-1\r\n mp-2\t\n\n\nmp-1\n", "val_json": '["mp-3"]', "test_txt": "Δ-4"}
    splits = {"mp-1": "train", "mp-2": "train", "mp-3": "val", "Δ-4": "test"}
    assert read_index_files(write(tmp_path, **texts)) == splits


def test_a_split_without_a_file_is_empty(tmp_path: Path) -> None:
    assert read_index_files(write(tmp_path, test_txt="mp-1\n")) == {"mp-1": "test"}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({}, r"holds no index file.*put train\.txt, val\.txt and test\.txt there"),
        ({"dev_txt": "mp-1"}, "holds no index file"),
        ({"train_txt": "mp-1\nmp-2", "test_txt": "mp-2"}, "mp-2 is in the lists train and test"),
        ({"train_txt": "mp-1", "train_json": '["mp-1"]'}, r"both train\.txt and train\.json; remove one"),
        ({"train_json": "[1, 2]"}, "must be a list of material_ids"),
        ({"train_json": '{"mp-1": 0}'}, "must be a list of material_ids"),
        ({"train_json": '["mp-1"'}, "cannot be read as json"),
    ],
)
def test_what_is_missing_or_contradictory_is_one_sentence(tmp_path: Path, texts: dict[str, str], message: str) -> None:
    with pytest.raises(StageError, match=message) as error:
        read_index_files(write(tmp_path, **texts))
    assert "\n" not in str(error.value)


def test_a_file_in_another_encoding_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_bytes(b"\xff\xfem\x00p\x00")
    with pytest.raises(StageError, match=r"train\.txt cannot be read as txt in UTF-8"):
        read_index_files(tmp_path)
