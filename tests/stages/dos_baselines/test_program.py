"""The baselines from tables to predictions: who is compared with what, and what an untrainable kind gives."""

import re
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from models.crystal_systems import CRYSTAL_SYSTEMS
from stages.dos_baselines import __main__ as program
from stages.dos_baselines.networks import NETWORKS, build_network
from stages.dos_baselines.outputs import write_predictions
from stages.dos_baselines.task import BaselineTask, predict
from stages.shared.errors import StageError
from stages.shared.params import load_params
from stages.shared.schemas import DOS_BASELINES_SCHEMA, SPLITS
from stages.shared.spectra import CrystalSpectra, read_spectra
from tests.pipeline.imports import ROOT
from tests.stages.graph_tables import simple_cubic, write_graph_rows

PARAMS = load_params("build_graphs", "encoder", "dos", "dos_kinds", path=ROOT / "params.yaml")
SPLIT_OF = {"e": "train", "a": "test", "c": "train", "b": "val", "d": "train"}


def write_tables(data: Path, split_of: dict[str, str]) -> None:
    """Write electron spectra of one peak each; that of crystal c ends at 2 eV."""
    energy = {name: np.linspace(-6, 2 if name == "c" else 6, 200) for name in split_of}
    columns = {
        "material_id": list(split_of),
        "n_atoms": pa.array([1] * len(split_of), pa.int32()),
        "crystal_system": [CRYSTAL_SYSTEMS[0]] * len(split_of),
        "edos_energy": list(energy.values()),
        "edos_density": [np.exp(-((x - (ord(name) - 99)) ** 2)) for name, x in energy.items()],
        "phdos_frequency": pa.array([None] * len(split_of), pa.list_(pa.float64())),
        "phdos_density": pa.array([None] * len(split_of), pa.list_(pa.float64())),
    }
    data.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), data / "crystals.parquet")
    for split in SPLITS:
        names = sorted(name for name, place in split_of.items() if place == split)
        write_graph_rows(data / f"graphs/{split}.parquet", [simple_cubic(name, ord(name) - 90) for name in names])


@pytest.fixture
def examples(tmp_path: Path) -> CrystalSpectra:
    write_tables(tmp_path, SPLIT_OF)
    return read_spectra(tmp_path, "electron", PARAMS.dos_kinds["electron"], PARAMS.encoder, tmp_path)


def test_every_network_has_a_column() -> None:
    assert {"material_id", *NETWORKS} == set(DOS_BASELINES_SCHEMA.names)


def test_the_loss_is_the_mean_rmse_over_known_bins(examples: CrystalSpectra) -> None:
    network = build_network("mlp_energies", PARAMS, "electron", 0).eval()
    batch = BaselineTask(examples, PARAMS.dos).batch(np.arange(3), np.random.RandomState(0))
    assert batch.known.all(dim=1).tolist() == [False, True, True]  # c, d, e
    error = network(batch.crystals).detach().numpy() - batch.spectrum.numpy()
    expected = [np.sqrt(np.square(row[known]).mean()) for row, known in zip(error, batch.known.numpy(), strict=True)]
    loss = BaselineTask(examples, PARAMS.dos).loss(network, batch)
    assert loss.item() == pytest.approx(np.mean(expected), rel=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_predictions_are_those_of_each_crystal_by_itself(name: str, examples: CrystalSpectra) -> None:
    network = build_network(name, PARAMS, "electron", 0).eval()
    together = predict(network, examples)
    with torch.no_grad():
        alone = [network(examples.graphs.batch(np.array([place]))).numpy() for place in range(len(examples))]
    np.testing.assert_allclose(together, np.concatenate(alone), rtol=1e-4, atol=1e-6)


def test_rows_are_sorted_and_keep_their_spectra(examples: CrystalSpectra, tmp_path: Path) -> None:
    spectra = {name: examples.spectrum(np.arange(len(examples))) + shift for shift, name in enumerate(NETWORKS)}
    write_predictions(tmp_path, "electron", examples, spectra)
    table = pq.read_table(tmp_path / "predictions/dos_baselines/electron.parquet").to_pylist()
    assert [row["material_id"] for row in table] == sorted(SPLIT_OF)
    place_of = {name: place for place, name in enumerate(examples.graphs.material_ids.to_pylist())}
    for row in table:
        for name in NETWORKS:
            np.testing.assert_array_equal(row[name], spectra[name][place_of[row["material_id"]]])


def run(kind: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = (ROOT / "params.yaml").read_text(encoding="utf-8")
    for knob, small in (("epochs", 2), ("warmup_epochs", 1), ("n_interactions", 1)):
        params = re.sub(rf"^(\s+{knob}): \d+", rf"\g<1>: {small}", params, flags=re.MULTILINE)
    (root / "params.yaml").write_text(params, encoding="utf-8")
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "argv", ["program", kind])
    program.main()


def test_the_spectra_do_not_depend_on_how_many_networks_train_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tables(tmp_path / "data", SPLIT_OF)
    path = tmp_path / "data/predictions/dos_baselines/electron.parquet"
    written = []
    for workers in ("1", "3"):
        monkeypatch.setenv("XTALK_WORKERS", workers)
        run("electron", tmp_path, monkeypatch)
        written.append(path.read_bytes())
    assert written[0] == written[1]
    table = pq.read_table(path)
    assert table["material_id"].to_pylist() == sorted(SPLIT_OF)
    for name in NETWORKS:
        spectra = np.array(table[name].to_pylist())
        assert spectra.shape == (len(SPLIT_OF), PARAMS.dos_kinds["electron"].bins)
        assert (spectra >= 0).all()
    assert not list((tmp_path / "scratch").rglob("*.safetensors"))


def test_nothing_to_learn_from_is_said_and_gives_no_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tables(tmp_path / "data", SPLIT_OF)
    run("phonon", tmp_path, monkeypatch)
    assert "phonon: no crystal of the train split has a density of states" in capsys.readouterr().out
    assert pq.read_metadata(tmp_path / "data/predictions/dos_baselines/phonon.parquet").num_rows == 0


def test_an_unknown_kind_is_named_with_the_known_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StageError, match="'magnon' is not a kind of density of states; use one of phonon, electron"):
        run("magnon", tmp_path, monkeypatch)
