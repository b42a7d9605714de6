"""The DOS transformer from tables to predictions, in each of its forms."""

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from models.dos.graph_network import PublishedGraphNetwork
from models.graph.described import Described
from stages.dos import __main__ as program
from stages.shared.dos_network import build_model
from stages.shared.errors import StageError
from stages.shared.params import load_params
from stages.shared.schemas import DOS_PREDICTIONS_SCHEMA
from tests.pipeline.imports import ROOT
from tests.stages.small_spectra import write_spectra

SMALL = {"dos.dim": 8, "dos.transformer.n_heads": 2, "dos.epochs": 2, "dos.warmup_epochs": 1, "encoder.dim": 8}


def write_params(folder: Path, changes: dict[str, Any]) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for key, value in changes.items():
        *sections, name = key.split(".")
        place = params
        for section in sections:
            place = place[section]
        assert name in place
        place[name] = value
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str, **changes: Any) -> None:
    write_params(folder, SMALL | {key.replace("__", "."): value for key, value in changes.items()})
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["dos", kind])
    program.main()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_spectra(tmp_path / "data", "hexagonal")
    return tmp_path


PUBLISHED = {"dos__model": "published", "dos__schedule": "constant", "dos__decay": "all", "dos__gradient_clip": 0.0}
PLAIN = {"dos__transformer__attention": "plain", "dos__transformer__energies": "waves"}


@pytest.mark.parametrize(
    ("kind", "changes"), [("phonon", {}), ("phonon", PUBLISHED), ("electron", PUBLISHED), ("electron", PLAIN)]
)
def test_every_form_trains_and_predicts_all_crystals(
    folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str, changes: dict[str, Any]
) -> None:
    run(folder, monkeypatch, kind, **changes)
    table = pq.read_table(folder / f"data/predictions/dos/{kind}.parquet")
    assert table.schema.equals(DOS_PREDICTIONS_SCHEMA)
    assert table.num_rows == 30
    for column in ("predicted", "predicted_global"):
        assert (np.array(table[column].to_pylist()) >= 0).all()


def test_the_same_params_give_the_same_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "data/predictions/dos/phonon.parquet"
    run(folder, monkeypatch, "phonon")
    first = path.read_bytes()
    path.unlink()
    run(folder, monkeypatch, "phonon")
    assert path.read_bytes() == first


def test_params_choose_the_model_and_its_graph_network(tmp_path: Path) -> None:
    encoders = {}
    for name in ("transformer", "published"):
        write_params(tmp_path, {"dos.model": name})
        params = load_params("build_graphs", "encoder", "dos", "dos_kinds", path=tmp_path / "params.yaml")
        encoders[name] = type(build_model(params, "phonon", 0).graph_encoder)
    assert encoders == {"transformer": Described, "published": PublishedGraphNetwork}


def test_an_unknown_column_of_numbers_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StageError, match=re.escape("dos.global_inputs: colour is no column of numbers")):
        run(folder, monkeypatch, "phonon", dos__global_inputs=["colour"])
