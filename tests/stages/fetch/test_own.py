"""Somebody's own folder: what is copied, and what is refused."""

import json
import pickle
from pathlib import Path

import pytest
from pymatgen.core import Structure

from stages.fetch.own import copy_own
from stages.shared.errors import StageError
from stages.shared.params import OwnFetchParams
from stages.shared.sources.own import parse, rows
from stages.shared.sources.record import RawRow
from tests.stages.raw_records import mp_document

SALT = Structure.from_dict({"@module": "", **mp_document("")["structure"]})


def _folder(tmp_path: Path, files: dict[str, bytes]) -> OwnFetchParams:
    (tmp_path / "mine").mkdir()
    for name, content in files.items():
        (tmp_path / "mine" / name).write_bytes(content)
    return OwnFetchParams(directory=str(tmp_path / "mine"))


def test_files_of_a_known_kind_are_copied_and_the_others_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"a.cif": b"data_", "B.CSV": b"id\n", "POSCAR_c": b"", "README.md": b"", ".hidden.cif": b"", "x.docx": b""}
    params = _folder(tmp_path, files)
    (tmp_path / "mine" / "folder.cif").mkdir()
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "old.cif").touch()
    found = copy_own(params, tmp_path / "raw")
    assert sorted(found) == ["B.CSV", "POSCAR_c", "a.cif"]
    assert {path.name for path in (tmp_path / "raw").iterdir()} == {*found, "manifest.json"}
    assert json.loads((tmp_path / "raw" / "manifest.json").read_text()) == {"files": found}
    assert "1 files of" in (said := capsys.readouterr().out)
    assert "x.docx" in said


def test_a_name_that_is_no_text_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    params = _folder(tmp_path, {"a.cif": b"data_", b"\xff.cif".decode("utf-8", "surrogateescape"): b"data_"})
    assert list(copy_own(params, tmp_path / "raw")) == ["a.cif"]
    assert "1 files of" in capsys.readouterr().out


class _Trap:
    """What a pickle may do to whoever reads it."""

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("trace"),))


def test_a_pickle_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    params = _folder(tmp_path, {"a.cif": b"data_", "data.pkl": pickle.dumps(_Trap())})
    with pytest.raises(StageError, match=r"data\.pkl is a pickle"):
        copy_own(params, tmp_path / "raw")
    assert not Path("trace").exists()
    assert not (tmp_path / "raw").exists()


def test_the_two_lines_of_the_refusal_turn_the_pickle_into_a_table(tmp_path: Path) -> None:
    content = [{"structure": SALT, "material_id": f"m{number}", "hardness": float(number)} for number in range(3)]
    params = _folder(tmp_path, {"raw_data.pkl": pickle.dumps(content)})
    with pytest.raises(StageError) as refused:
        copy_own(params, tmp_path / "raw")
    _, *program = str(refused.value).splitlines()
    assert len(program) == 2
    exec("\n".join(program), {})  # noqa: S102 - what a user would do
    (tmp_path / "mine" / "raw_data.pkl").unlink()
    assert list(copy_own(params, tmp_path / "raw")) == ["raw_data.jsonl"]
    records = [parse(row) for row in rows(tmp_path / "raw") if isinstance(row, RawRow)]
    assert [record.source_id for record in records] == ["m0", "m1", "m2"]
    assert [record.properties for record in records] == [{"hardness": 0.0}, {"hardness": 1.0}, {"hardness": 2.0}]
    assert all(record.structure == SALT for record in records)


def test_a_folder_that_is_missing_or_that_fetch_would_remove_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="is no folder"):
        copy_own(OwnFetchParams(directory=str(tmp_path / "nowhere")), tmp_path / "raw")
    (tmp_path / "raw" / "mine").mkdir(parents=True)
    with pytest.raises(StageError, match="which fetch replaces"):
        copy_own(OwnFetchParams(directory=str(tmp_path / "raw" / "mine")), tmp_path / "raw")
    assert (tmp_path / "raw" / "mine").is_dir()
