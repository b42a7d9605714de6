from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from stages.build_graphs.__main__ import main
from stages.build_graphs.graphs import CrystalEntry, GraphRejection, atomic_numbers, graph_row, occupancy_columns
from stages.shared import parallel
from stages.shared.schemas import SPLITS
from stages.shared.structures import structure_from_cif, structure_to_cif
from stages.shared.text_files import read_csv
from tests.stages.build_graphs.settings import set_chunk_size
from tests.stages.crystal_table import write_crystals
from tests.stages.graph_tables import open_graphs, read_rows
from tests.stages.raw_records import ROOT

CRYSTALS = {
    "a": Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3]),
    "b": Structure(Lattice.from_parameters(4.1, 5.2, 6.3, 71, 82, 113), ["C", "O"], [[0.1, 0.2, 0.3], [0.6, 0.5, 0.9]]),
    "c": Structure(Lattice.cubic(20), ["Xe"], [[0, 0, 0]]),
    "d": Structure(Lattice.cubic(2.9), ["Fe"], [[0, 0, 0]]),
}
SPLIT_OF = {"d": "val"}


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_crystals(tmp_path / "data/crystals.parquet", CRYSTALS, SPLIT_OF)
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    main()
    return tmp_path / "data" / "graphs"


def test_each_crystal_is_in_the_table_of_its_split_in_order(built: Path) -> None:
    found = {split: [row["material_id"] for row in read_rows(built / f"{split}.parquet")] for split in SPLITS}
    assert found == {"train": ["a", "b", "c"], "val": ["d"], "test": []}


def test_a_graph_reads_back_with_the_lattice_sites_and_elements_of_its_crystal(built: Path) -> None:
    for row in read_rows(built / "train.parquet"):
        expected = structure_from_cif(structure_to_cif(CRYSTALS[row["material_id"]]))
        np.testing.assert_array_equal(row["lattice"], expected.lattice.matrix)
        np.testing.assert_array_equal(row["frac_coords"], expected.frac_coords)
        assert row["atomic_numbers"] == list(expected.atomic_numbers)


def test_the_edge_vectors_of_a_batch_have_the_distances_pymatgen_finds(built: Path) -> None:
    rows = read_rows(built / "train.parquet")
    batch = open_graphs({"train": built / "train.parquet"}).batch(np.arange(len(rows)))
    lengths = batch.edge_vector().norm(dim=1).numpy()
    crystal_of_edge = batch.batch[batch.edge_source].numpy()
    for place, row in enumerate(rows):
        structure = structure_from_cif(structure_to_cif(CRYSTALS[row["material_id"]]))
        edges = zip(row["edge_source"], row["edge_target"], row["edge_image"].tolist(), strict=True)
        expected = [structure[i].distance(structure[j], jimage=image) for i, j, image in edges]
        np.testing.assert_allclose(lengths[crystal_of_edge == place], expected, atol=1e-5)


def test_crystals_without_a_graph_are_listed_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sheared = Lattice([[3, 0, 0], [3 * 200, 3, 0], [0, 0, 3]])  # a cube, its nearest neighbours 200 cells away
    skewed = structure_to_cif(Structure(sheared, ["H"], [[0, 0, 0]]))
    write_crystals(tmp_path / "data/crystals.parquet", {"broken": "data_x\n_cell_length_a 3\n", "skewed": skewed})
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    main()
    assert read_rows(tmp_path / "data/graphs/train.parquet") == []
    reasons = {row["source_id"]: row["reason"] for row in read_csv(tmp_path / "data/graphs_rejected.csv")}
    assert "CIF cannot be read" in reasons["broken"]
    assert "cells away" in reasons["skewed"]


@pytest.mark.parametrize("cif", ["", "no cif", "data_x\n", "\x00"])
def test_no_text_makes_a_crash(cif: str) -> None:
    assert isinstance(graph_row(CrystalEntry("x", cif), 6.0, 12), GraphRejection)


def test_a_disordered_site_counts_as_its_most_abundant_element_and_deuterium_as_hydrogen() -> None:
    species = [{"Fe": 0.4, "Ni": 0.6}, {"Ni": 0.5, "Fe": 0.5}, {"D": 1.0}, {"O": 0.3}]
    coords = [[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]]
    assert atomic_numbers(Structure(Lattice.cubic(6), species, coords)).tolist() == [28, 26, 1, 8]


def test_every_element_of_every_site_is_listed_where_one_site_is_mixed_or_partly_vacant() -> None:
    coords = [[0, 0, 0], [0.5, 0.5, 0.5]]
    for species, expected in (
        ([{"Fe": 0.4, "Ni": 0.6}, "O"], [(0, 26, 0.4), (0, 28, 0.6), (1, 8, 1.0)]),
        (["O", {"Li": 0.7}], [(0, 8, 1.0), (1, 3, 0.7)]),
        (["O", {"D": 0.25, "H": 0.25, "Li": 0.5}], [(0, 8, 1.0), (1, 1, 0.5), (1, 3, 0.5)]),
    ):
        columns = occupancy_columns(Structure(Lattice.cubic(4), species, coords))
        assert list(zip(*columns.values(), strict=True)) == expected
        assert list(columns) == ["occupancy_site", "occupancy_element", "occupancy_fraction"]


@pytest.mark.parametrize("species", ["O", "D", {"H": 0.5, "D": 0.5}, {"Fe2+": 0.3, "Fe3+": 0.7}, {"O": 0.9999999}])
def test_a_site_of_one_element_is_ordered_whatever_its_isotopes_and_oxidation_states(species: Any) -> None:
    columns = occupancy_columns(Structure(Lattice.cubic(4), [species], [[0, 0, 0]]))
    assert columns == {"occupancy_site": [], "occupancy_element": [], "occupancy_fraction": []}


def test_isotopes_and_oxidation_states_add_up_to_the_most_abundant_element() -> None:
    species = [{"Fe2+": 0.3, "Fe3+": 0.3, "Ni2+": 0.4}, {"D": 0.3, "H": 0.3, "Li": 0.4}]
    assert atomic_numbers(Structure(Lattice.cubic(6), species, [[0, 0, 0], [0.5] * 3])).tolist() == [26, 1]


def test_workers_and_chunks_change_no_byte(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in built.iterdir()}
    set_chunk_size(1)
    monkeypatch.setattr(parallel, "SECONDS_BEFORE_WORKERS", 0.0)
    monkeypatch.setenv("XTALK_WORKERS", "2")
    main()
    assert {path.name: path.read_bytes() for path in built.iterdir()} == before


def test_the_selection_decides_whether_the_last_shell_is_cut() -> None:
    rocksalt = CrystalEntry("a", structure_to_cif(CRYSTALS["a"]))
    for selection, per_atom in (("whole_shells", 6 + 12), ("exactly", 8)):
        row = graph_row(rocksalt, 6.0, 8, selection)
        assert not isinstance(row, GraphRejection)
        assert np.bincount(row["edge_source"]).tolist() == [per_atom] * 8
