import pickle
from pathlib import Path

import pytest
import torch

from stages.shared.errors import StageError
from stages.shared.weights import load_weights, save_weights


def test_equal_tensors_give_equal_bytes_and_come_back(tmp_path: Path) -> None:
    state = {name: torch.randn(3, 4, generator=torch.Generator().manual_seed(i)) for i, name in enumerate("dbca")}
    for folder, order in (("x", "abcd"), ("y", "dcba")):
        save_weights(tmp_path / folder, {name: state[name] for name in order}, {"dim": 4})
    for name in ("weights.safetensors", "config.json"):
        assert (tmp_path / "x" / name).read_bytes() == (tmp_path / "y" / name).read_bytes()
    read, config = load_weights(tmp_path / "x")
    assert config == {"dim": 4}
    assert all(torch.equal(read[name], state[name]) for name in state)


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("bomb"),)


def test_a_pickle_in_place_of_weights_is_refused_and_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_weights(tmp_path, {}, {})
    (tmp_path / "weights.safetensors").write_bytes(pickle.dumps({"weight": Bomb()}))
    with pytest.raises(StageError, match="holds no readable weights"):
        load_weights(tmp_path)
    assert not (tmp_path / "bomb").exists()


def test_missing_weights_say_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="run `dvc repro`"):
        load_weights(tmp_path)
