"""From tables to batches: they are what PyG makes of one object per crystal, with mixed sites and embeddings."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Element, Lattice, Structure
from torch_geometric.data import Batch, Data

from models.graph.batch import CrystalBatch
from stages.build_graphs.graphs import CrystalEntry, graph_row
from stages.shared.embeddings import embedding_width
from stages.shared.errors import StageError
from stages.shared.graphs import read_inputs
from stages.shared.params import EncoderParams, load_params
from stages.shared.schemas import EMBEDDINGS_SCHEMA
from stages.shared.structures import structure_from_cif, structure_to_cif
from stages.shared.tables import write_table
from tests.pipeline.imports import ROOT
from tests.stages.graph_tables import graph_table, open_graphs, write_graph_rows

ROCKSALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])
ALLOY = Structure(
    Lattice.cubic(3.8),
    [{"Fe": 0.3, "Ni": 0.6}, {"O": 1.0}, {"D": 0.25, "H": 0.5, "Li": 0.25}],
    [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5]],
)
IRON = Structure(Lattice.cubic(2.9), ["Fe"], [[0, 0, 0]])
CRYSTALS = {"alloy": ALLOY, "rocksalt": ROCKSALT, "rocksalt-2": ROCKSALT}
PAINN = load_params("encoder", path=ROOT / "params.yaml").encoder
PRECOMPUTED: EncoderParams = PAINN.model_copy(update={"name": "precomputed"})


def write_graphs(path: Path, crystals: dict[str, Structure]) -> None:
    rows = [graph_row(CrystalEntry(name, structure_to_cif(one)), 4.0, 8) for name, one in crystals.items()]
    write_graph_rows(path, rows)


def write_embeddings(path: Path, names: list[str]) -> np.ndarray:
    embeddings = np.random.RandomState(0).standard_normal((len(names), 5)).astype(np.float32)
    write_table(path, {"material_id": names, "embedding": list(embeddings)}, EMBEDDINGS_SCHEMA)
    return embeddings


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_graphs(tmp_path / "graphs/train.parquet", CRYSTALS)
    return tmp_path


def random_crystal(random: np.random.RandomState, name: str) -> dict[str, Any]:
    """One to nine atoms, any edges, some of the sites mixed or partly vacant in one crystal of three."""
    n_atoms, n_edges = random.randint(1, 10), random.randint(0, 40)
    mixed = np.repeat(np.arange(n_atoms), random.randint(1, 4, n_atoms)) if random.randint(3) == 0 else np.zeros(0, int)
    elements = [random.permutation(118)[:count] + 1 for count in np.bincount(mixed)] if len(mixed) else [np.zeros(0)]
    return {
        "material_id": name,
        "atomic_numbers": random.randint(1, 119, n_atoms),
        "frac_coords": random.uniform(-1, 2, 3 * n_atoms),
        "lattice": random.normal(size=9),
        "edge_source": random.randint(n_atoms, size=n_edges),
        "edge_target": random.randint(n_atoms, size=n_edges),
        "edge_image": random.randint(-128, 128, 3 * n_edges),
        "occupancy_site": mixed,
        "occupancy_element": np.concatenate(elements),
        "occupancy_fraction": random.uniform(size=len(mixed)),
    }


def by_pyg(rows: list[dict[str, Any]]) -> Batch:
    """Return the batch of PyG, with one object per crystal and a dense matrix of the occupancies."""
    graphs = []
    for row in rows:
        shares = torch.zeros(len(row["atomic_numbers"]), 119)
        for site, element, share in zip(
            row["occupancy_site"], row["occupancy_element"], row["occupancy_fraction"], strict=True
        ):
            shares[site, int(element)] = share
        if not len(row["occupancy_site"]):
            shares[range(len(shares)), row["atomic_numbers"].tolist()] = 1.0
        graphs.append(
            Data(
                z=torch.tensor(row["atomic_numbers"]),
                pos=torch.tensor(row["frac_coords"], dtype=torch.float32).reshape(-1, 3),
                lattice=torch.tensor(row["lattice"], dtype=torch.float32).reshape(1, 3, 3),
                edge_index=torch.tensor(np.stack([row["edge_source"], row["edge_target"]])),
                image=torch.tensor(row["edge_image"], dtype=torch.float32).reshape(-1, 3),
                shares=shares,
            )
        )
    return Batch.from_data_list(graphs)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_a_batch_is_that_of_pyg_to_the_bit(seed: int) -> None:
    random = np.random.RandomState(seed)
    rows = [random_crystal(random, f"m{place:03d}") for place in range(random.randint(1, 300))]
    places = random.randint(len(rows), size=random.randint(1, 20))
    batch, expected = graph_table(rows).batch(places), by_pyg([rows[place] for place in places])
    pairs = {
        "atomic_numbers": expected.z,
        "frac_coords": expected.pos,
        "lattice": expected.lattice,
        "batch": expected.batch,
        "edge_source": expected.edge_index[0],
        "edge_target": expected.edge_index[1],
        "edge_image": expected.image,
    }
    for name, tensor in pairs.items():
        assert torch.equal(getattr(batch, name), tensor), name
        assert getattr(batch, name).dtype == tensor.dtype
    assert torch.equal(batch.element_shares(), expected.shares)
    assert (batch.occupancy is None) == (not any(len(rows[place]["occupancy_site"]) for place in places))


def test_several_splits_are_one_table_in_their_order(data: Path) -> None:
    write_graphs(data / "graphs/val.parquet", {"rocksalt-3": ROCKSALT})
    graphs = read_inputs(data, ["val", "train"], PAINN, data)
    assert graphs.material_ids.to_pylist() == ["rocksalt-3", *CRYSTALS]
    assert graphs.splits.tolist() == ["val", "train", "train", "train"]
    assert graphs.batch(np.array([1])).occupancy is not None


def test_selected_crystals_keep_what_belongs_to_them(data: Path) -> None:
    write_graphs(data / "graphs/val.parquet", {"iron": IRON})
    graphs = read_inputs(data, ["train", "val"], PAINN, data).select(np.array([3, 1]))
    assert graphs.material_ids.to_pylist() == ["iron", "rocksalt"]
    assert graphs.splits.tolist() == ["val", "train"]
    assert graphs.batch(np.array([0, 1])).atomic_numbers.tolist() == [26, *ROCKSALT.atomic_numbers]


def test_a_table_that_does_not_exist_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"train\.parquet does not exist; run `dvc repro`"):
        read_inputs(tmp_path, ["train"], PAINN, tmp_path)


def test_every_element_of_a_mixed_site_reaches_the_batch_with_its_share(data: Path) -> None:
    occupancy = open_graphs({"train": data / "graphs/train.parquet"}).batch(np.array([0])).occupancy
    assert occupancy is not None
    expected = np.zeros((3, 119))
    for row, site in enumerate(structure_from_cif(structure_to_cif(ALLOY))):
        for species, share in site.species.items():
            expected[row, 1 if species.symbol == "D" else Element(species.symbol).Z] += share
    assert sorted(expected.sum(axis=1)) == pytest.approx([0.9, 1.0, 1.0])
    np.testing.assert_allclose(occupancy.numpy(), expected, atol=1e-6)


def test_a_batch_of_ordered_crystals_has_no_occupancy(data: Path) -> None:
    graphs = open_graphs({"train": data / "graphs/train.parquet"})
    assert graphs.batch(np.array([1, 2])).occupancy is None


def test_a_batch_with_a_mixed_crystal_is_its_crystals_one_after_the_other(data: Path) -> None:
    graphs = open_graphs({"train": data / "graphs/train.parquet"})
    batch = graphs.batch(np.array([1, 0, 2]))
    parts = CrystalBatch.concatenate([graphs.batch(np.array([place])) for place in (1, 0, 2)])
    assert batch.occupancy is not None
    assert parts.occupancy is not None
    assert torch.equal(batch.occupancy, parts.occupancy)
    assert torch.equal(batch.edge_target, parts.edge_target)


@pytest.mark.parametrize("name", ["painn", "cgcnn", "crystalformer"])
def test_a_tower_that_reads_no_embeddings_needs_no_table_of_them(data: Path, name: str) -> None:
    encoder = PAINN.model_copy(update={"name": name})
    graphs = read_inputs(data, ["train"], encoder, data)
    assert graphs.material_ids.to_pylist() == list(CRYSTALS)
    assert graphs.batch(np.arange(3)).embedding is None
    assert embedding_width(data, encoder) == 0


def test_crystals_without_an_embedding_are_left_out_and_counted(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    embeddings = write_embeddings(data / "embeddings.parquet", ["another", "rocksalt", "rocksalt-2"])
    graphs = read_inputs(data, ["train"], PRECOMPUTED, data)
    assert graphs.material_ids.to_pylist() == ["rocksalt", "rocksalt-2"]
    batch = graphs.batch(np.array([1, 0]))
    assert batch.embedding is not None
    np.testing.assert_array_equal(batch.embedding.numpy(), embeddings[[2, 1]])
    assert embedding_width(data, PRECOMPUTED) == 5
    said = capsys.readouterr().out
    assert "train: left out, no embedding: 1 of 3 crystals" in said
    assert "embeddings_rejected.csv" in said


def test_nothing_is_said_where_every_crystal_has_an_embedding(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_embeddings(data / "embeddings.parquet", list(CRYSTALS))
    assert len(read_inputs(data, ["train"], PRECOMPUTED, data)) == 3
    assert capsys.readouterr().out == ""


def test_no_embedding_at_all_is_an_error_that_says_where_the_reasons_are(data: Path) -> None:
    write_embeddings(data / "embeddings.parquet", [])
    with pytest.raises(StageError, match=r"no crystal has an embedding.*embeddings_rejected\.csv"):
        embedding_width(data, PRECOMPUTED)
