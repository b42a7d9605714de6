"""The manifest says what is where, in numbers that the shell can check."""

import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.generate_cif.manifest import SplitManifest
from stages.generate_cif.splits import make_splitter
from stages.shared.errors import StageError
from tests.stages.generate_cif.test_splits import COMPUTED, split_params

Rows = list[dict[str, str]]

_rows = st.lists(
    st.builds(
        dict,
        material_id=st.text("abc-Δ0123", min_size=1),
        formula=st.sampled_from(["NaCl", "SiO2", "Fe", "U", "LiFePO4"]),
        crystal_system=st.sampled_from(["cubic", "monoclinic"]),
    ),
    unique_by=lambda row: row["material_id"],
).map(lambda rows: sorted(rows, key=lambda row: row["material_id"]))


def split_rows(rows: Rows, scheme: str = "formula", **changes: Any) -> tuple[list[str | None], SplitManifest]:
    params = split_params(scheme, **changes)
    manifest = SplitManifest(make_splitter(params, [row["formula"] for row in rows]))
    return [manifest.add(row) for row in rows], manifest


def crystals(*ids: str) -> Rows:
    return [{"material_id": name, "formula": "NaCl", "crystal_system": "cubic"} for name in ids]


@pytest.mark.parametrize("scheme", COMPUTED)
@settings(max_examples=25, deadline=None)
@given(rows=_rows)
def test_the_counts_are_those_of_the_rows(scheme: str, rows: Rows) -> None:
    splits, manifest = split_rows(rows, scheme)
    found = manifest.as_dict()
    assert found["scheme"] == scheme
    assert {split: found[split]["crystals"] for split in ("train", "val", "test")} == {
        split: splits.count(split) for split in ("train", "val", "test")
    }
    pairs = {(row["formula"], split) for row, split in zip(rows, splits, strict=True)}
    shared = sum(n > 1 for n in Counter(formula for formula, _ in pairs).values())
    assert found["formulas_in_several_splits"] == shared
    if scheme in ("formula", "species_count", "element_balanced"):
        assert shared == 0
        assert sum(found[split]["groups"] for split in ("train", "val", "test")) == len(pairs)
    if scheme == "random":
        assert all(found[split]["groups"] == found[split]["crystals"] for split in ("train", "val", "test"))


def test_the_digest_of_a_split_is_what_sort_and_sha256sum_print(tmp_path: Path) -> None:
    rows = crystals(*sorted(f"mp-{number}" for number in range(40)))
    splits, manifest = split_rows(rows, "random")
    for split in ("train", "val", "test"):
        names = [row["material_id"] for row, where in zip(rows, splits, strict=True) if where == split]
        (tmp_path / "ids").write_text("".join(f"{name}\n" for name in reversed(names)))
        command = f"LC_ALL=C sort {tmp_path / 'ids'} | sha256sum"
        printed = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout
        assert manifest.as_dict()[split]["material_ids_sha256"] == printed.split()[0]


def test_moving_one_crystal_changes_the_digests_of_both_its_splits_and_of_no_other(tmp_path: Path) -> None:
    digests = []
    for train, val in (("mp-1\nmp-2", "mp-3"), ("mp-1", "mp-2\nmp-3")):
        (tmp_path / "train.txt").write_text(train)
        (tmp_path / "val.txt").write_text(val)
        (tmp_path / "test.txt").write_text("mp-4")
        _, manifest = split_rows(crystals("mp-1", "mp-2", "mp-3", "mp-4"), "file", directory=str(tmp_path))
        digests.append({split: manifest.as_dict()[split]["material_ids_sha256"] for split in ("train", "val", "test")})
    before, after = digests
    assert {split for split in before if before[split] != after[split]} == {"train", "val"}


def test_unlisted_crystals_and_unknown_ids_are_counted_and_said(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("mp-1\nmp-7\nmp-8")
    splits, manifest = split_rows(crystals("mp-1", "mp-2"), "file", directory=str(tmp_path))
    manifest.check()
    assert splits == ["train", None]
    found = manifest.as_dict()
    assert (found["without_split"], found["ids_not_found"], found["seed"]) == (1, 2, None)
    said = " / ".join(manifest.summary())
    assert "1 crystals are in no index file" in said
    assert "2 ids of the index files belong to no crystal" in said
    assert "the test split is empty" in said


def test_lists_that_name_no_crystal_at_all_are_refused_with_an_example(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("0\n1\n2")
    _, manifest = split_rows(crystals("mp-1"), "file", directory=str(tmp_path))
    with pytest.raises(StageError, match="'0' there should be a material_id such as 'mp-1'"):
        manifest.check()


def test_without_any_crystal_there_is_nothing_to_refuse(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("mp-1")
    _, manifest = split_rows([], "file", directory=str(tmp_path))
    manifest.check()
    assert manifest.as_dict()["ids_not_found"] == 1


def test_an_unsorted_table_is_a_defect() -> None:
    with pytest.raises(ValueError, match="mp-1 comes after mp-2"):
        split_rows(crystals("mp-2", "mp-1"))
