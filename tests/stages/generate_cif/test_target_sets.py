import json
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.generate_cif.splits import SplitKey, make_splitter
from stages.generate_cif.target_sets import TARGET_SETS, TargetSet, published_split
from stages.shared.errors import StageError
from tests.stages.generate_cif.test_splits import split_params


def _alignn_split(n: int, n_train: int | None, n_val: int | None, n_test: int | None) -> dict[int, str]:
    """The published procedure, step by step: ratios, the global generator, slices from both ends."""
    train_ratio = 1 - 0.1 - 0.1
    n_train = int(train_ratio * n) if n_train is None else n_train
    n_test = int(0.1 * n) if n_test is None else n_test
    n_val = int(0.1 * n) if n_val is None else n_val
    ids = list(np.arange(n))
    random.seed(123)
    random.shuffle(ids)
    named = {"train": ids[:n_train], "val": ids[-(n_val + n_test) : -n_test], "test": ids[-n_test:]}
    return {int(place): split for split, places in named.items() for place in places}


def _write(folder: Path, dataset: str, records: list[dict[str, Any]]) -> None:
    (folder / f"jarvis_{dataset}.json").write_text(json.dumps(records))


def _records(target_set: TargetSet, n: int, bad: dict[int, Any]) -> list[dict[str, Any]]:
    """Records with ids by their place; those in `bad` have this value for their last target."""
    records = [
        {target_set.id_field: f"x-{place}", **dict.fromkeys(target_set.targets, place / 7)} for place in range(n)
    ]
    for place, value in bad.items():
        records[place][target_set.targets[-1]] = value
    return records


@pytest.mark.parametrize("name", [name for name, one in TARGET_SETS.items() if one.sizes is None and not one.by_file])
@pytest.mark.parametrize("n", [23, 100, 101, 1234])
def test_the_split_is_that_of_alignn(name: str, n: int, tmp_path: Path) -> None:
    target_set = TARGET_SETS[name]
    bad = {2: "na", 5: None, 7: float("nan"), 9: "1.5", 11: True, 13: float("inf")}
    _write(tmp_path, target_set.dataset, _records(target_set, n, bad))
    kept = [place for place in range(n) if place not in bad]
    expected = _alignn_split(len(kept), None, None, None)
    assert published_split(name, tmp_path) == {f"x-{kept[place]}": split for place, split in expected.items()}


def test_the_split_of_megnet_has_the_published_sizes(tmp_path: Path) -> None:
    target_set = TARGET_SETS["jarvis__megnet"]
    _write(tmp_path, "megnet", _records(target_set, 69_241, {17: "na", 40_000: None}))
    split = published_split("jarvis__megnet", tmp_path)
    counts = {name: sum(one == name for one in split.values()) for name in ("train", "val", "test")}
    assert counts == {"train": 60_000, "val": 5_000, "test": 4_239}
    kept = [place for place in range(69_241) if place not in (17, 40_000)]
    assert split == {f"x-{kept[place]}": one for place, one in _alignn_split(69_239, 60_000, 5_000, 4_239).items()}


@pytest.mark.parametrize(
    ("name", "n_records", "sizes"),
    [
        ("jarvis__dft_3d_2021", 55_723, (44_578, 5_572, 5_572)),
        ("jarvis__dft_3d_2021-mbj_bandgap", 18_172, (14_537, 1_817, 1_817)),
        ("jarvis__dft_3d_2021-ehull", 55_371, (44_296, 5_537, 5_537)),
    ],
)
def test_whole_fractions_give_the_sizes_of_the_paper(name: str, n_records: int, sizes: tuple[int, int, int]) -> None:
    assert TARGET_SETS[name].sizes_of(n_records) == sizes


def _write_moduli(folder: Path, modulus: str, **splits: list[Any]) -> None:
    for split, moduli in splits.items():
        records = [{"id": f"{split}-{place}", f"{modulus} modulus": value} for place, value in enumerate(moduli)]
        (folder / f"jarvis_megnet_{modulus}_{split}.pkl").write_bytes(pickle.dumps(records))


@pytest.mark.parametrize("modulus", ["bulk", "shear"])
def test_the_split_of_a_set_of_moduli_is_that_of_its_files(modulus: str, tmp_path: Path) -> None:
    bad = [None, float("nan"), np.float64("-inf"), "na", "1.5", True, np.bool_(True), [1.0]]
    _write_moduli(tmp_path, modulus, train=[*bad, np.float64(1.5), 1.5, np.float32(1.5), 2], val=[0.0], test=[-1, None])
    assert published_split(f"jarvis__megnet-{modulus}", tmp_path) == {
        **{f"train-{place}": "train" for place in range(8, 12)},
        "val-0": "val",
        "test-0": "test",
    }


def test_a_set_of_moduli_must_be_whole(tmp_path: Path) -> None:
    _write_moduli(tmp_path, "bulk", train=[1.0], val=[1.0])
    with pytest.raises(StageError, match=r"is jarvis__megnet-bulk, which needs megnet_bulk in fetch\.jarvis\.datasets"):
        published_split("jarvis__megnet-bulk", tmp_path)
    _write_moduli(tmp_path, "bulk", test=["na"])
    with pytest.raises(StageError, match=r"needs some records, jarvis_megnet_bulk_test\.pkl has none with a target"):
        published_split("jarvis__megnet-bulk", tmp_path)
    _write_moduli(tmp_path, "bulk", test=[1.0, print])
    with pytest.raises(StageError, match=r"the whole data set, but jarvis_megnet_bulk_test.* might run something"):
        published_split("jarvis__megnet-bulk", tmp_path)


def test_the_splitter_leaves_out_what_the_target_set_does_not_hold(tmp_path: Path) -> None:
    (tmp_path / "jarvis").mkdir()
    target_set = TARGET_SETS["jarvis__dft_3d_2021-ehull"]
    _write(tmp_path / "jarvis", "dft_3d_2021", _records(target_set, 50, {3: "na"}))
    params = split_params("target_set", target_set="jarvis__dft_3d_2021-ehull")
    splitter = make_splitter(params, [], tmp_path)
    expected = published_split("jarvis__dft_3d_2021-ehull", tmp_path / "jarvis")
    for place in range(50):
        found = splitter.assign(SplitKey(f"x-{place}", "NaCl", "cubic"))
        assert (found.group, found.split) == (f"x-{place}", expected.get(f"x-{place}"))
    assert splitter.assign(SplitKey("x-3", "NaCl", "cubic")).split is None


def test_what_is_missing_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"needs megnet in fetch\.jarvis\.datasets"):
        published_split("jarvis__megnet", tmp_path)
    _write(tmp_path, "megnet", _records(TARGET_SETS["jarvis__megnet"], 100, {}))
    with pytest.raises(StageError, match="needs 69239 records, the raw file has 100"):
        published_split("jarvis__megnet", tmp_path)
    (tmp_path / "jarvis_dft_3d_2021.json").write_text('[{"jid": "x-1", "ehull": 0.1}, {"jid"')
    with pytest.raises(StageError, match="needs the whole data set"):
        published_split("jarvis__dft_3d_2021-ehull", tmp_path)
