import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.fusion import dataset
from stages.fusion.dataset import LabelledCrystal, learned_targets, read_labelled
from stages.shared.errors import StageError
from stages.shared.graphs import CrystalGraph
from stages.shared.params import EncoderParams, load_params
from tests.pipeline.imports import ROOT
from tests.stages.fusion.test_redaction import BETRAYING, COLUMNS, narratives, printed_values, states
from tests.stages.pretrain.test_task import graph

PARAMS = load_params("targets", "encoder", "fusion", path=ROOT / "params.yaml")
ENERGY, GAP = "formation_energy_per_atom", "band_gap"
Row = tuple[str, str, float | None, float | None, str]  # material_id, split, formation energy, band gap, narrative


def read(
    folder: Path, rows: list[Row], targets: list[str], monkeypatch: pytest.MonkeyPatch, text: str = "narrative"
) -> list[LabelledCrystal]:
    """Read crystals that all have the same graph."""
    names, splits, energies, gaps, texts = (list(column) for column in zip(*rows, strict=True))
    pq.write_table(pa.table({"material_id": names, ENERGY: energies, GAP: gaps}), folder / "crystals.parquet")
    views = {"material_id": names, "view": ["original"] * len(rows), "text": texts}
    pq.write_table(pa.table(views), folder / "narratives.parquet")

    def graphs_of(data: Path, split: str, encoder: EncoderParams) -> list[CrystalGraph]:
        return [graph(name, 14) for name, place in zip(names, splits, strict=True) if place == split]

    monkeypatch.setattr(dataset, "read_inputs", graphs_of)
    return read_labelled(
        folder, learned_targets(targets[0], words_of(targets[1:]), PARAMS.targets), text, PARAMS.encoder
    )


def words_of(targets: list[str]) -> dict[str, list[str]]:
    return {target: PARAMS.targets[target].mentions for target in targets}


ROWS: list[Row] = [
    ("both", "train", -1.0, 2.0, "A solid."),
    ("energy", "train", -1.5, None, "A solid."),
    ("gap", "train", None, 0.0, "A solid."),
    ("neither", "train", None, None, "A solid."),
    ("val-gap", "val", None, 2.5, "A solid."),
    ("val-energy", "val", -0.5, None, "A solid."),
    ("test-gap", "test", None, 2.5, "A solid."),
    ("test-both", "test", -0.25, 2.5, "A solid."),
]


def test_without_auxiliary_targets_a_crystal_needs_a_value_of_the_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = read(tmp_path, ROWS, [ENERGY], monkeypatch)
    assert [example.graph.material_id for example in examples] == ["both", "energy", "val-energy", "test-both"]
    assert [example.values for example in examples] == [(-1.0,), (-1.5,), (-0.5,), (-0.25,)]


def test_an_auxiliary_value_alone_makes_a_train_crystal_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = read(tmp_path, ROWS, [ENERGY, GAP], monkeypatch)
    found = {example.graph.material_id: example.values for example in examples}
    assert found == {
        "both": (-1.0, 2.0),
        "energy": (-1.5, None),
        "gap": (None, 0.0),
        "val-energy": (-0.5, None),
        "test-both": (-0.25, 2.5),
    }


def test_no_text_states_the_target_or_an_auxiliary_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[Row] = []
    for i, row in enumerate(narratives()):
        energy, gap = (row[COLUMNS[name]] for name in (ENERGY, GAP))
        assert isinstance(energy, float)
        assert isinstance(gap, float)
        rows.append((f"m{i:04d}", "train", energy, gap, f"{row['gpt_text']} {row['gpt_explanation']}"))
    alone = read(tmp_path, rows, [ENERGY], monkeypatch)
    together = read(tmp_path, rows, [ENERGY, GAP], monkeypatch)
    for example in together:
        for name, value in zip((ENERGY, GAP), example.values, strict=True):
            assert value is not None
            assert not re.search(BETRAYING[name], example.text), example.text
            assert not any(states(number, value) for number in printed_values(example.text)), example.text
    # what the target alone would have left in tells the auxiliary one, so that the check above can fail
    assert sum(bool(re.search(BETRAYING[GAP], example.text)) for example in alone) > 100
    assert sum(bool(example.text) for example in together) > 300


def test_the_target_itself_among_the_auxiliary_ones_is_ignored() -> None:
    found = learned_targets(GAP, {ENERGY: ["energy"], GAP: []}, PARAMS.targets)
    assert list(found) == [GAP, ENERGY]
    assert found == {GAP: PARAMS.targets[GAP].mentions, ENERGY: ["energy"]}


def test_an_unknown_auxiliary_target_is_named_with_the_valid_ones() -> None:
    with pytest.raises(StageError, match=r"auxiliary_targets holds gap, .*formation_energy_per_atom.*, band_gap"):
        learned_targets(ENERGY, {"gap": []}, PARAMS.targets)
    with pytest.raises(StageError, match=r"^gap is not among .*formation_energy_per_atom, band_gap$"):
        learned_targets("gap", {}, PARAMS.targets)
