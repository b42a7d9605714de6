import gzip
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.shared.sources import files
from stages.shared.sources.files import BrokenFile, find_raw_file, iterate_json_array, iterate_lines

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_BLOCK", 7)  # so that every element spans several


@settings(max_examples=100, deadline=None)
@given(elements=st.lists(_json), indent=st.sampled_from([None, 2]), block=st.integers(1, 40))
def test_a_json_list_is_read_as_the_json_module_reads_it(elements: list[Any], indent: int | None, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_BLOCK", block)
        text = json.dumps(elements, indent=indent)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "list.json"
            path.write_text(text, encoding="utf-8")
            found = list(iterate_json_array(path))
    assert [element for element, _ in found] == elements
    assert [json.loads(source) for _, source in found] == elements


@pytest.mark.usefixtures("small_blocks")
def test_whatever_is_whole_before_a_break_is_read(tmp_path: Path) -> None:
    elements = [{"jid": f"J{number}", "values": list(range(number))} for number in range(6)]
    text = json.dumps(elements)
    path = tmp_path / "list.json"
    ends = [text.index(json.dumps(element)) + len(json.dumps(element)) for element in elements]
    for length in range(1, len(text)):
        path.write_text(text[:length], encoding="utf-8")
        whole = sum(end < length for end in ends)
        reader = iterate_json_array(path)
        assert [next(reader)[0] for _ in range(whole)] == elements[:whole]
        with pytest.raises(BrokenFile, match=r"list\.json"):
            next(reader)


@pytest.mark.parametrize("text", ["", "  ", "{}", "not json", "<html></html>"])
def test_a_file_that_is_no_json_list_says_so(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BrokenFile, match=r"x\.json is no JSON list"):
        list(iterate_json_array(path))


def test_compressed_and_plain_lines_are_the_same_and_blank_ones_are_none(tmp_path: Path) -> None:
    text = "one\n\n  \ntwo\r\nthree"
    (tmp_path / "plain.txt").write_bytes(text.encode())
    (tmp_path / "packed.txt.gz").write_bytes(gzip.compress(text.encode()))
    assert list(iterate_lines(tmp_path / "plain.txt")) == ["one", "two", "three"]
    assert list(iterate_lines(tmp_path / "packed.txt.gz")) == ["one", "two", "three"]


def test_a_damaged_gzip_is_a_broken_file(tmp_path: Path) -> None:
    for name, content in (("a.gz", b"not gzip"), ("b.gz", gzip.compress(b"line\n" * 1000)[:-9])):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BrokenFile, match=name):
            list(iterate_lines(tmp_path / name))


def _zip(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_the_file_in_a_zip_archive_is_read_as_the_plain_one_and_stays_inside(tmp_path: Path) -> None:
    _zip(tmp_path / "a.zip", {"/absolute/../path.txt": b"one\n\ntwo\r\nthree"})
    assert list(iterate_lines(tmp_path / "a.zip")) == ["one", "two", "three"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_a_zip_archive_that_cannot_be_read_is_a_broken_file(tmp_path: Path) -> None:
    _zip(tmp_path / "two.zip", {"a": b"1", "b": b"2"})
    _zip(tmp_path / "none.zip", {})
    _zip(tmp_path / "good.zip", {"a": np.random.RandomState(0).bytes(100_000)})
    content = (tmp_path / "good.zip").read_bytes()
    (tmp_path / "half.zip").write_bytes(content[:50_000])
    (tmp_path / "flipped.zip").write_bytes(content[:50_000] + bytes([content[50_000] ^ 1]) + content[50_001:])
    encrypted = bytearray(content)
    encrypted[6] |= 1
    encrypted[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "encrypted.zip").write_bytes(encrypted)
    for name in ("two.zip", "none.zip", "half.zip", "flipped.zip", "encrypted.zip"):
        with pytest.raises(BrokenFile, match=name):
            list(iterate_lines(tmp_path / name))


def test_the_compressed_file_wins_and_a_missing_one_is_none(tmp_path: Path) -> None:
    assert find_raw_file(tmp_path, "x.json") is None
    (tmp_path / "x.json").touch()
    assert find_raw_file(tmp_path, "x.json") == tmp_path / "x.json"
    (tmp_path / "x.json.gz").touch()
    assert find_raw_file(tmp_path, "x.json") == tmp_path / "x.json.gz"
