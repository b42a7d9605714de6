"""`python -m stages.attention` on an untrained model: what the tables hold, and what is said where something lacks."""

import csv
import itertools
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ase import Atoms

from stages.attention import __main__ as program
from stages.attention.projected import projected_shares, share_correlation
from stages.generate_cif.__main__ import main as generate_cif
from stages.shared.dos_network import build_model
from stages.shared.errors import StageError
from stages.shared.params import load_params
from stages.shared.schemas import DOS_PREDICTIONS_SCHEMA
from stages.shared.tables import write_table
from stages.shared.weights import save_weights
from tests.pipeline.imports import ROOT
from tests.stages.graph_tables import simple_cubic, write_graph_rows
from tests.stages.raw_records import phonon_cells, phonon_parts, phonon_row, write_phonon_tutorial

BINS = 51
FREQUENCIES = np.linspace(0.0, 1000.0, 101)
PROJECTED = {"Cs": np.exp(-(((FREQUENCIES - 150) / 60) ** 2)), "Cl": np.exp(-(((FREQUENCIES - 300) / 60) ** 2))}


def caesium_chloride() -> dict[str, Any]:
    """Two atoms, each with the eight nearest neighbours of the other kind."""
    corners = np.array(list(itertools.product((0, 1), repeat=3)))
    row = simple_cubic("CsCl", 55)
    row |= {"atomic_numbers": [55, 17], "frac_coords": [0.0] * 3 + [0.5] * 3, "lattice": (4.1 * np.eye(3)).ravel()}
    row |= {"edge_source": [0] * 8 + [1] * 8, "edge_target": [1] * 8 + [0] * 8}
    row["edge_image"] = np.concatenate([-corners, corners]).astype(np.int8).ravel()
    return row


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The weights of a small model, and three crystals: a compound, an element and one without a graph."""
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(re.sub(r"n_interactions: \d+", "n_interactions: 1", text), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data"
    write_graph_rows(data / "graphs/train.parquet", [caesium_chloride(), simple_cubic("Po", 84)])
    for split in ("val", "test"):
        write_graph_rows(data / f"graphs/{split}.parquet", [])
    write_crystals(data)
    write_predictions(data)
    params = load_params("build_graphs", "encoder", "dos", "dos_kinds")
    config = {"encoder": params.encoder.model_dump(), "dos": params.dos.model_dump()}
    config |= {"cutoff": params.build_graphs.cutoff, "kind": params.dos_kinds["phonon"].model_dump()}
    save_weights(data / "weights/dos/phonon", build_model(params, "phonon", 0).state_dict(), config)
    return tmp_path


def write_crystals(data: Path, projected: bool = True) -> None:
    names = ["CsCl", "Po", "none"]
    columns = {
        "material_id": names,
        "formula": ["CsCl", "Po", "H"],
        "crystal_system": ["cubic"] * 3,
        "split": ["train"] * 3,
        "phdos_frequency": [FREQUENCIES, None, None],
    }
    if projected:
        densities = [list(PROJECTED.items()), None, None]
        columns["phdos_projected"] = pa.array(densities, pa.map_(pa.string(), pa.list_(pa.float64())))
    pq.write_table(pa.table(columns), data / "crystals.parquet")


def write_predictions(data: Path) -> None:
    known = np.arange(BINS) < 40
    columns = {"material_id": ["CsCl"], "split": ["train"], "true": [np.full(BINS, 0.5)], "known": [known]}
    columns |= {"scale": [1.0], "delivered_states": [3.0]}
    columns |= {"predicted": [np.zeros(BINS)], "predicted_global": [np.zeros(BINS)]}
    write_table(data / "predictions/dos/phonon.parquet", columns, DOS_PREDICTIONS_SCHEMA)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["program", *arguments])
    program.main()


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_attention_of_an_energy_sums_to_one_over_sites_and_over_elements(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(monkeypatch, "phonon", "CsCl")
    folder = world / "plots/attention/phonon"
    sites, elements = read(folder / "CsCl_sites.csv"), read(folder / "CsCl_elements.csv")
    assert [row["element"] for row in sites[:2]] == ["Cs", "Cl"]
    for rows, columns in ((sites, ("gather_layer1", "refine_layer1")), (elements, ("gather", "refine"))):
        assert len(rows) == 2 * BINS
        for column in columns:
            pairs = np.array([float(row[column]) for row in rows]).reshape(BINS, 2)
            np.testing.assert_allclose(pairs.sum(axis=1), 1.0, atol=1e-5)
    assert (folder / "CsCl.png").read_bytes().startswith(b"\x89PNG")


def test_the_correlation_with_the_projected_dos_is_that_of_the_written_columns(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "phonon", "CsCl")
    rows = [row for row in read(world / "plots/attention/phonon/CsCl_elements.csv") if row["element"] == "Cl"]
    given = [row for row in rows if row["projected_share"]]
    columns = np.array([[float(row["refine"]), float(row["projected_share"])] for row in given])
    assert 5 < len(given) < BINS  # there are hardly any states above 500 cm⁻¹
    assert f"Cl: correlation {np.corrcoef(columns.T)[0, 1]:.2f}" in capsys.readouterr().out


def test_parts_of_the_phonon_tutorial_reach_the_command_and_the_table_is_the_same_however_it_is_made(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    atoms = Atoms("CsCl", scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5]], cell=4.1 * np.eye(3), pbc=True)
    others = [phonon_row(f"mp-{number}") for number in range(40)]
    write_phonon_tutorial(world / "data/raw", [phonon_cells("CsCl", atoms), *others])
    tables = []
    for workers in ("1", "2"):
        monkeypatch.setenv("XTALK_WORKERS", workers)
        generate_cif()
        tables.append((world / "data/crystals.parquet").read_bytes())
    assert tables[0] == tables[1]

    run(monkeypatch, "phonon", "CsCl")
    rows = read(world / "plots/attention/phonon/CsCl_elements.csv")
    parts = phonon_parts(["Cs", "Cl"])
    shares = parts["Cl"] / (parts["Cs"] + parts["Cl"])
    found = [row["projected_share"] for row in rows if row["element"] == "Cl"]
    for share, expected in zip(found, shares, strict=True):
        assert not share or float(share) == pytest.approx(expected, abs=1e-4)
    assert 5 < len([share for share in found if share]) < BINS
    said = capsys.readouterr().out
    assert all(f"{element}: correlation " in said for element in ("Cs", "Cl"))


def test_a_table_without_projected_spectra_leaves_their_column_empty(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_crystals(world / "data", projected=False)
    run(monkeypatch, "phonon", "CsCl")
    assert {row["projected_share"] for row in read(world / "plots/attention/phonon/CsCl_elements.csv")} == {""}
    assert "correlation" not in capsys.readouterr().out


def test_an_atom_by_itself_has_all_the_attention_and_no_occlusion(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "phonon", "Po")
    rows = read(world / "plots/attention/phonon/Po_sites.csv")
    assert {(row["gather_layer1"], row["occlusion"]) for row in rows} == {("1.0", "")}


def test_what_lacks_is_said_in_one_sentence(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StageError, match="has no crystal NaCl"):
        run(monkeypatch, "phonon", "NaCl")
    with pytest.raises(StageError, match="none has no graph"):
        run(monkeypatch, "phonon", "none")
    with pytest.raises(StageError, match=r"give a kind of DOS \(phonon, electron\) and a material_id"):
        run(monkeypatch, "phonon")
    with pytest.raises(StageError, match="does not exist"):
        run(monkeypatch, "electron", "CsCl")
    save_weights(world / "data/weights/dos/electron", {}, {})
    with pytest.raises(StageError, match="nothing was trained"):
        run(monkeypatch, "electron", "CsCl")


def test_weights_of_other_params_are_refused(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = world / "params.yaml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("n_interactions: 1", "n_interactions: 2"), encoding="utf-8"
    )
    with pytest.raises(StageError, match="trained with another encoder than params"):
        run(monkeypatch, "phonon", "CsCl")


def test_shares_of_the_states_add_up_where_there_are_states() -> None:
    shares = projected_shares({"A": np.array([1.0, 3.0, 0.01]), "B": np.array([3.0, 1.0, 0.0])})
    np.testing.assert_allclose(shares["A"], [0.25, 0.75, np.nan])
    np.testing.assert_allclose(shares["B"], [0.75, 0.25, np.nan])


def test_a_constant_share_has_no_correlation() -> None:
    assert share_correlation(np.ones(4), np.array([0.1, 0.2, 0.3, np.nan])) is None
    assert share_correlation(np.arange(4.0), np.array([0.1, 0.2, 0.3, np.nan])) == pytest.approx(1.0)
