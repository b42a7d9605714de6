"""The data section tells which split and which raw files the results belong to."""

from typing import Any

from stages.report.data_section import raw_files_table, split_sentences, split_table


def split_manifest(**changes: Any) -> dict[str, Any]:
    sizes = {"train": (36, 30), "val": (12, 11), "test": (12, 12)}
    parts = {
        split: {"crystals": crystals, "groups": groups, "material_ids_sha256": f"{crystals:02d}" * 32}
        for split, (crystals, groups) in sizes.items()
    }
    checks = {"without_split": 0, "ids_not_found": 0, "formulas_in_several_splits": 0}
    return {"scheme": "formula", "seed": 7, **parts, **checks, **changes}


def test_each_split_has_its_size_and_digest() -> None:
    table = split_table(split_manifest())
    assert [list(row) for row in table.rows] == [
        ["train", "363636363636…", "36", "30"],
        ["val", "121212121212…", "12", "11"],
        ["test", "121212121212…", "12", "12"],
    ]
    assert "scheme formula, seed 7;" in table.caption
    assert "seed" not in split_table(split_manifest(scheme="file", seed=None)).caption


def test_a_split_that_leaks_is_said_to_leak() -> None:
    assert split_sentences(split_manifest()) == ["No formula lies in more than one split."]
    (leak,) = split_sentences(split_manifest(formulas_in_several_splits=1234))
    assert "in more than one split: 1,234." in leak
    _, unlisted, not_found = split_sentences(split_manifest(without_split=5, ids_not_found=6))
    assert "in no split: 5." in unlisted
    assert "belong to no crystal: 6." in not_found


def test_a_raw_file_has_its_version_where_the_source_has_one() -> None:
    facts: dict[str, str | int] = {"sha256": "ab" * 32, "bytes": 1500}
    files = {
        "materials_project": {"mp.jsonl.gz": facts | {"database_version": "2025.1"}},
        "jarvis": {"dft.json": facts | {"figshare_file": 123}, "edos.json": facts},
        "narratives": {"texts.parquet": facts | {"revision": "0fe1"}},
    }
    assert [list(row) for row in raw_files_table(files).rows] == [
        ["materials project", "mp.jsonl.gz", "2025.1", "abababababab…", "1,500"],
        ["jarvis", "dft.json", "123", "abababababab…", "1,500"],
        ["jarvis", "edos.json", "–", "abababababab…", "1,500"],
        ["narratives", "texts.parquet", "0fe1", "abababababab…", "1,500"],
    ]
