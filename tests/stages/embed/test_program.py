"""The stage as DVC runs it and as a tool, and what it says when a package or a file is missing."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
import yaml
from pymatgen.core import Lattice, Structure
from torch import nn

from stages.embed.__main__ import main
from stages.embed.collect import load_embedder
from stages.embed.embedder import CrystalEntry
from stages.shared.errors import StageError
from stages.shared.structures import structure_to_cif
from stages.shared.tables import read_table
from stages.shared.text_files import read_csv
from tests.pipeline.imports import ROOT
from tests.stages.crystal_table import write_crystals

CRYSTALS = {
    "a": Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3]),
    "b": Structure(Lattice.cubic(2.9), ["Fe"], [[0, 0, 0]]),
    "c": Structure(Lattice.cubic(20), ["Xe"], [[0, 0, 0]]),
}
TABLE, REJECTED = Path("data/embeddings.parquet"), Path("data/embeddings_rejected.csv")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with three crystals; the last has an atom that CHGNet calls isolated."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XTALK_THREADS", "1")
    monkeypatch.setenv("XTALK_DEVICE", "cpu")
    write_crystals(tmp_path / "data/crystals.parquet", CRYSTALS)
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, name: str, model: str = "chgnet", *arguments: str) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["encoder"]["name"] = name
    params["encoder"]["precomputed"]["model"] = model
    Path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["embed", *arguments])
    main()


def test_every_crystal_is_either_embedded_or_listed_and_the_bytes_are_the_same_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = []
    for crystals in (CRYSTALS, dict(reversed(CRYSTALS.items()))):
        write_crystals(Path("data/crystals.parquet"), crystals)
        run(monkeypatch, "precomputed")
        written.append((TABLE.read_bytes(), REJECTED.read_bytes()))
    assert written[0] == written[1]
    assert read_table(TABLE)["material_id"].to_pylist() == ["a", "b"]
    assert [row["material_id"] for row in read_csv(REJECTED)] == ["c"]


def test_another_encoder_gets_empty_tables_and_no_model_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "chgnet", None)
    written = []
    for name, model in (("painn", "chgnet"), ("cgcnn", "orb")):
        run(monkeypatch, name, model)
        written.append((TABLE.read_bytes(), REJECTED.read_bytes()))
    assert written[0] == written[1]
    assert read_table(TABLE).num_rows == 0
    assert read_csv(REJECTED) == []


def test_the_table_the_tool_writes_is_one_the_pipeline_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "painn", "files", "--model", "chgnet")
    assert not TABLE.exists()
    rejected = read_csv(Path("data/precomputed/chgnet_rejected.csv"))
    assert [row["material_id"] for row in rejected] == ["c"]
    run(monkeypatch, "precomputed", "files")
    assert TABLE.read_bytes() == Path("data/precomputed/chgnet.parquet").read_bytes()
    assert read_csv(REJECTED)[0]["reason"] == "no file in data/precomputed has it"


def test_the_tool_writes_where_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "painn", "files", "--model", "chgnet", "--out", "here/mine.parquet")
    assert read_table(Path("here/mine.parquet")).num_rows == 2
    assert Path("here/mine_rejected.csv").exists()


@pytest.mark.parametrize(
    ("model", "package", "words"),
    [
        ("chgnet", "chgnet", "pip install -r requirements-extra.txt"),
        ("orb", "orb_models", "install orb-models"),
        ("equiformer_v2", "fairchem", "install fairchem-core"),
    ],
)
def test_a_missing_package_is_one_sentence_on_what_to_install(
    monkeypatch: pytest.MonkeyPatch, model: str, package: str, words: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(StageError, match=words) as error:
        run(monkeypatch, "precomputed", model)
    assert "\n" not in str(error.value)
    assert not TABLE.exists()


def install(monkeypatch: pytest.MonkeyPatch, name: str, **content: object) -> None:
    """Put a module with this content in place of one that may not be installed, with the packages around it."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        package = ".".join(parts[:length])
        if package not in sys.modules:
            monkeypatch.setitem(sys.modules, package, ModuleType(package))
        if length > 1:
            monkeypatch.setattr(
                sys.modules[".".join(parts[: length - 1])], parts[length - 1], sys.modules[package], False
            )
    for key, value in content.items():
        monkeypatch.setattr(sys.modules[name], key, value, raising=False)


def test_orb_reads_the_weights_in_the_folder_and_says_when_it_cannot_get_any(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    asked: list[str | None] = []

    def orb_v3_direct_20_omat(device: str, precision: str, compile: bool, weights_path: str | None = None) -> None:
        asked.append(weights_path)
        raise ConnectionError("the network is unreachable\nand so on")

    install(monkeypatch, "orb_models.forcefield.pretrained", orb_v3_direct_20_omat=orb_v3_direct_20_omat)
    weights = folder / "orb_v3_direct_20_omat.ckpt"
    for _ in range(2):
        with pytest.raises(StageError, match="network is unreachable") as error:
            load_embedder("orb", folder)
        assert str(weights) in str(error.value)
        assert "\n" not in str(error.value)
        weights.touch()
    assert asked == [None, str(weights)]


class Backbone(nn.Module):
    """A stand-in for fairchem's: its degree-0 features are the positions times a trained number."""

    def __init__(self, max_num_elements: int, otf_graph: bool, use_pbc: bool) -> None:
        super().__init__()
        self.max_num_elements = max_num_elements
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, positions: torch.Tensor) -> dict[str, object]:
        embedding = torch.stack([self.weight * positions, torch.rand_like(positions)], dim=1)
        return {"node_embedding": type("Embedding", (), {"embedding": embedding})}


@pytest.fixture
def fairchem(monkeypatch: pytest.MonkeyPatch) -> None:
    class AtomsToGraphs:
        def __init__(self, **options: bool) -> None:
            assert options["r_pbc"]

        def convert(self, atoms: object) -> torch.Tensor:
            return torch.tensor(atoms.positions)  # type: ignore[attr-defined]

    install(monkeypatch, "fairchem.core.models.equiformer_v2.equiformer_v2", EquiformerV2Backbone=Backbone)
    install(monkeypatch, "fairchem.core.datasets", data_list_collater=lambda graphs, otf_graph: torch.cat(graphs))
    install(monkeypatch, "fairchem.core.preprocessing", AtomsToGraphs=AtomsToGraphs)


@pytest.mark.usefixtures("fairchem")
def test_equiformer_v2_averages_the_invariant_features_of_the_checkpoint_s_backbone(folder: Path) -> None:
    config = {"model": {"backbone": {"model": "equiformer_v2_backbone", "max_num_elements": 90, "otf_graph": False}}}
    state = {"module.backbone.weight": torch.tensor([3.0]), "module.output_heads.energy.weight": torch.ones(2)}
    torch.save({"config": config, "state_dict": state}, folder / "equiformer_v2.pt")
    embedder = load_embedder("equiformer_v2", folder)
    crystal = CrystalEntry("a", structure_to_cif(CRYSTALS["a"]))
    expected = 3.0 * CRYSTALS["a"].cart_coords.mean(axis=0)
    np.testing.assert_allclose(embedder.embed(crystal), expected, rtol=1e-5)


@pytest.mark.usefixtures("fairchem")
def test_a_checkpoint_that_is_missing_of_another_kind_or_full_of_code_is_refused(folder: Path) -> None:
    path = folder / "equiformer_v2.pt"

    def refusal() -> str:
        with pytest.raises(StageError) as error:
            load_embedder("equiformer_v2", folder)
        assert "\n" not in str(error.value)
        return str(error.value)

    assert "is missing; put an OMat24 checkpoint" in refusal()
    path.write_bytes(b"no checkpoint")
    assert "cannot be read as tensors" in refusal()
    torch.save({"config": {"model": "gemnet"}, "state_dict": {}}, path)
    assert "no OMat24 checkpoint" in refusal()
    torch.save({"config": print}, path)
    assert "cannot be read as tensors" in refusal()
    for option, weight in (("max_num_elements", "other"), ("max_num_elephants", "weight")):
        config = {"model": {"backbone": {option: 90}}}
        torch.save({"config": config, "state_dict": {f"backbone.{weight}": torch.ones(1)}}, path)
        assert "does not fit the installed version" in refusal()
