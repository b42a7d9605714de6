"""From tables to batches: mixed sites and embeddings reach the model, and nothing else changes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from pymatgen.core import Element, Lattice, Structure

from models.graph.batch import CrystalBatch
from stages.build_graphs.graphs import CrystalEntry, graph_row
from stages.shared.embeddings import embedding_width
from stages.shared.errors import StageError
from stages.shared.graphs import CrystalGraph, collate, read_graphs, read_inputs
from stages.shared.params import EncoderParams, load_params
from stages.shared.schemas import EMBEDDINGS_SCHEMA, GRAPHS_SCHEMA
from stages.shared.structures import structure_from_cif, structure_to_cif
from stages.shared.tables import write_table
from tests.pipeline.imports import ROOT

ROCKSALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])
ALLOY = Structure(
    Lattice.cubic(3.8),
    [{"Fe": 0.3, "Ni": 0.6}, {"O": 1.0}, {"D": 0.25, "H": 0.5, "Li": 0.25}],
    [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5]],
)
CRYSTALS = {"alloy": ALLOY, "rocksalt": ROCKSALT, "rocksalt-2": ROCKSALT}
PAINN = load_params("encoder", path=ROOT / "params.yaml").encoder
PRECOMPUTED: EncoderParams = PAINN.model_copy(update={"name": "precomputed"})


def write_graphs(path: Path, crystals: dict[str, Structure]) -> None:
    rows = [graph_row(CrystalEntry(name, structure_to_cif(one)), 4.0, 8) for name, one in crystals.items()]
    write_table(path, {name: [row[name] for row in rows] for name in GRAPHS_SCHEMA.names}, GRAPHS_SCHEMA)


def write_embeddings(path: Path, names: list[str]) -> np.ndarray:
    embeddings = np.random.RandomState(0).standard_normal((len(names), 5)).astype(np.float32)
    write_table(path, {"material_id": names, "embedding": list(embeddings)}, EMBEDDINGS_SCHEMA)
    return embeddings


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_graphs(tmp_path / "graphs/train.parquet", CRYSTALS)
    return tmp_path


def test_every_element_of_a_mixed_site_reaches_the_batch_with_its_share(data: Path) -> None:
    alloy, *_ = read_graphs(data / "graphs/train.parquet")
    occupancy = collate([alloy]).occupancy
    assert occupancy is not None
    expected = np.zeros((3, 119))
    for row, site in enumerate(structure_from_cif(structure_to_cif(ALLOY))):
        for species, share in site.species.items():
            expected[row, 1 if species.symbol == "D" else Element(species.symbol).Z] += share
    assert sorted(expected.sum(axis=1)) == pytest.approx([0.9, 1.0, 1.0])
    np.testing.assert_allclose(occupancy.numpy(), expected, atol=1e-6)


def test_a_batch_of_ordered_crystals_has_no_occupancy(data: Path) -> None:
    _, *ordered = read_graphs(data / "graphs/train.parquet")
    assert all(len(graph.occupancy_site) == 0 for graph in ordered)
    assert collate(ordered).occupancy is None


def test_a_batch_with_a_mixed_crystal_is_its_crystals_one_after_the_other(data: Path) -> None:
    graphs = read_graphs(data / "graphs/train.parquet")
    batch = collate([graphs[1], graphs[0], graphs[2]])
    parts = CrystalBatch.concatenate([collate([graphs[place]]) for place in (1, 0, 2)])
    assert batch.occupancy is not None
    assert parts.occupancy is not None
    assert torch.equal(batch.occupancy, parts.occupancy)
    ordered = batch.occupancy[batch.batch != 1]
    assert torch.equal(ordered.argmax(dim=1), batch.atomic_numbers[batch.batch != 1])
    assert torch.equal(ordered.sum(dim=1), torch.ones(len(ordered)))


@pytest.mark.parametrize("name", ["painn", "cgcnn", "crystalformer"])
def test_a_tower_that_reads_no_embeddings_needs_no_table_of_them(data: Path, name: str) -> None:
    encoder = PAINN.model_copy(update={"name": name})
    graphs = read_inputs(data, "train", encoder)
    assert [graph.material_id for graph in graphs] == list(CRYSTALS)
    assert collate(graphs).embedding is None
    assert embedding_width(data, encoder) == 0


def test_crystals_without_an_embedding_are_left_out_and_counted(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    embeddings = write_embeddings(data / "embeddings.parquet", ["another", "rocksalt", "rocksalt-2"])
    graphs = read_inputs(data, "train", PRECOMPUTED)
    assert [graph.material_id for graph in graphs] == ["rocksalt", "rocksalt-2"]
    batch = collate(graphs)
    assert batch.embedding is not None
    np.testing.assert_array_equal(batch.embedding.numpy(), embeddings[1:])
    assert embedding_width(data, PRECOMPUTED) == 5
    said = capsys.readouterr().out
    assert "train: left out, no embedding: 1 of 3 crystals" in said
    assert "embeddings_rejected.csv" in said


def test_nothing_is_said_where_every_crystal_has_an_embedding(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_embeddings(data / "embeddings.parquet", list(CRYSTALS))
    assert len(read_inputs(data, "train", PRECOMPUTED)) == 3
    assert capsys.readouterr().out == ""


def test_no_embedding_at_all_is_an_error_that_says_where_the_reasons_are(data: Path) -> None:
    write_embeddings(data / "embeddings.parquet", [])
    with pytest.raises(StageError, match=r"no crystal has an embedding.*embeddings_rejected\.csv"):
        embedding_width(data, PRECOMPUTED)


def test_graphs_with_and_without_an_embedding_do_not_go_together(data: Path) -> None:
    write_embeddings(data / "embeddings.parquet", ["rocksalt"])
    plain: list[CrystalGraph] = read_graphs(data / "graphs/train.parquet")
    with pytest.raises(ValueError, match="1 of 4 crystals"):
        collate([*read_inputs(data, "train", PRECOMPUTED), *plain])
