"""Crystals with a density of states: who is in, in which order, and with which spectrum."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.crystal_systems import CRYSTAL_SYSTEMS
from stages.shared.params import load_params
from stages.shared.schemas import SPLITS
from stages.shared.spectra import CrystalSpectra, read_spectra
from stages.shared.spectrum_targets import energy_grid, spectrum_target
from tests.pipeline.imports import ROOT
from tests.stages.graph_tables import simple_cubic, write_graph_rows

PARAMS = load_params("dos_kinds", "encoder", path=ROOT / "params.yaml")
PHONON = PARAMS.dos_kinds["phonon"]
SPLIT_OF = {"a": "test", "b": "train", "c": "val", "d": "train", "e": "train", "f": "train"}
CENTRES = {"a": 100.0, "b": 200.0, "c": 300.0, "d": None, "e": 5000.0, "f": 400.0}  # cm⁻¹; d has none, e lies outside
N_ATOMS = {"a": 1, "b": 2, "c": 3, "d": 1, "e": 1, "f": 1}
WITHOUT_GRAPH = "f"


def curve(centre: float) -> tuple[np.ndarray, np.ndarray]:
    frequency = np.linspace(centre - 90, centre + 90, 91)
    return frequency, np.exp(-(((frequency - centre) / 30) ** 2))


def write_tables(data: Path) -> None:
    curves = [None if centre is None else curve(centre) for centre in CENTRES.values()]
    columns = {
        "material_id": list(SPLIT_OF),
        "n_atoms": list(N_ATOMS.values()),
        "crystal_system": [CRYSTAL_SYSTEMS[place] for place in range(len(SPLIT_OF))],
        "phdos_frequency": [None if one is None else one[0] for one in curves],
        "phdos_density": [None if one is None else one[1] for one in curves],
    }
    pq.write_table(pa.table(columns), data / "crystals.parquet")
    for split in SPLITS:
        names = [name for name, place in SPLIT_OF.items() if place == split and name != WITHOUT_GRAPH]
        write_graph_rows(data / f"graphs/{split}.parquet", [simple_cubic(name, ord(name)) for name in names])


@pytest.fixture
def spectra(tmp_path: Path) -> CrystalSpectra:
    write_tables(tmp_path)
    return read_spectra(tmp_path, "phonon", PHONON, PARAMS.encoder, tmp_path)


def test_crystals_with_states_in_the_window_are_read_by_split(spectra: CrystalSpectra) -> None:
    assert spectra.graphs.material_ids.to_pylist() == ["b", "c", "a"]
    assert spectra.of_split("val").graphs.material_ids.to_pylist() == ["c"]


def test_a_crystal_without_states_in_the_window_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tables(tmp_path)
    read_spectra(tmp_path, "phonon", PHONON, PARAMS.encoder, tmp_path)
    assert capsys.readouterr().out == "phonon: left out, no states inside the window: e\n"


def test_each_crystal_has_its_own_atoms_system_and_spectrum(spectra: CrystalSpectra) -> None:
    for split, name in (("train", "b"), ("val", "c"), ("test", "a")):
        of_split = spectra.of_split(split)
        found = of_split.spectrum(np.array([0]))[0]
        expected = spectrum_target(*curve(CENTRES[name] or 0.0), N_ATOMS[name], PHONON)
        assert expected is not None
        np.testing.assert_array_equal(found, expected.spectrum.astype(np.float32))
        assert energy_grid(PHONON)[found.argmax()] == CENTRES[name]
        assert of_split.number("scale").tolist() == [expected.scale]
        assert of_split.number("delivered_states").tolist() == [expected.delivered_states]
        assert of_split.graphs.batch(np.array([0])).atomic_numbers.tolist() == [ord(name)]
        assert of_split.crystal_system.tolist() == [list(SPLIT_OF).index(name)]
    places = np.array([1, 0, 1])
    np.testing.assert_array_equal(spectra.spectrum(places)[0], spectra.spectrum(np.array([1]))[0])
    assert spectra.spectrum(places).shape == spectra.known(places).shape == (3, PHONON.bins)


def test_bins_outside_the_delivered_range_are_known_or_not_as_the_recipe_says(tmp_path: Path) -> None:
    write_tables(tmp_path)
    for beyond in ("zero", "unknown"):
        recipe = PHONON.model_copy(update={"beyond": beyond})
        folder = tmp_path / beyond
        folder.mkdir()
        found = read_spectra(tmp_path, "phonon", recipe, PARAMS.encoder, folder)
        for row, name in enumerate(found.graphs.material_ids.to_pylist()):
            within = np.abs(energy_grid(PHONON) - (CENTRES[name] or 0.0)) <= 90
            np.testing.assert_array_equal(found.known(np.array([row]))[0], within | (beyond == "zero"))


def test_no_density_of_states_at_all_is_an_empty_table(tmp_path: Path) -> None:
    columns: dict[str, list[object]] = {"material_id": ["a"], "crystal_system": ["cubic"], "n_atoms": [1]}
    nothing = {name: pa.array([None], pa.list_(pa.float32())) for name in ("phdos_frequency", "phdos_density")}
    pq.write_table(pa.table(columns | nothing), tmp_path / "crystals.parquet")
    for split in SPLITS:
        write_graph_rows(tmp_path / f"graphs/{split}.parquet", [simple_cubic("a", 1)] if split == "train" else [])
    assert len(read_spectra(tmp_path, "phonon", PHONON, PARAMS.encoder, tmp_path)) == 0
