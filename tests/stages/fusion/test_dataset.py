import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.text.tokens import TextTokens
from stages.fusion.dataset import learned_targets, read_labelled
from stages.shared.errors import StageError
from stages.shared.params import load_params
from stages.shared.schemas import CRYSTALS_SCHEMA, SPLITS, crystals_schema
from tests.pipeline.imports import ROOT
from tests.stages.fusion.test_redaction import BETRAYING, COLUMNS, narratives, printed_values, states
from tests.stages.graph_tables import simple_cubic, write_graph_rows

PARAMS = load_params("targets", "encoder", "fusion", path=ROOT / "params.yaml")
ENERGY, GAP = "formation_energy_per_atom", "band_gap"
Row = tuple[str, str, float | None, float | None, str]  # material_id, split, formation energy, band gap, narrative


class VerbatimTokenizer:
    """A letter is a token, so that what was encoded can be read again."""

    max_words = 100_000

    def encode(self, text: str) -> np.ndarray:
        return np.frombuffer(text.encode(), dtype=np.uint8)

    def stack(self, encoded: Sequence[np.ndarray]) -> TextTokens:
        raise NotImplementedError("no batch is made here")


class Example(NamedTuple):
    """A labelled crystal in plain numbers, NaN as None."""

    material_id: str
    text: str
    values: tuple[float | None, ...]


def read(folder: Path, rows: list[Row], targets: list[str], text: str = "narrative") -> list[Example]:
    """Read crystals that all have the same graph, from tables sorted as the stages before leave them."""
    names, splits, energies, gaps, texts = (list(column) for column in zip(*sorted(rows), strict=True))
    pq.write_table(pa.table({"material_id": names, ENERGY: energies, GAP: gaps}), folder / "crystals.parquet")
    views = {"material_id": names, "view": ["original"] * len(rows), "text": texts}
    pq.write_table(pa.table(views), folder / "narratives.parquet")
    return open_examples(folder, dict(zip(names, splits, strict=True)), targets, text)


def open_examples(data: Path, split_of: dict[str, str], targets: list[str], text: str) -> list[Example]:
    for split in SPLITS:
        graphs = [simple_cubic(name, 14) for name, place in split_of.items() if place == split]
        write_graph_rows(data / f"graphs/{split}.parquet", graphs)
    learned = learned_targets(targets[0], words_of(targets[1:]), PARAMS.targets, CRYSTALS_SCHEMA.names)
    with tempfile.TemporaryDirectory() as scratch:
        found = read_labelled(data, learned, text, PARAMS.encoder, VerbatimTokenizer(), Path(scratch))
    read_texts = [bytes(one).decode() for (one,) in found.texts.pieces(np.arange(len(found)))] if len(found) else []
    known = [tuple(None if np.isnan(value) else value for value in row) for row in found.values.tolist()]
    return [Example(*row) for row in zip(found.graphs.material_ids.to_pylist(), read_texts, known, strict=True)]


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


def test_without_auxiliary_targets_a_crystal_needs_a_value_of_the_target(tmp_path: Path) -> None:
    examples = read(tmp_path, ROWS, [ENERGY])
    assert [example.material_id for example in examples] == ["both", "energy", "val-energy", "test-both"]
    assert [example.values for example in examples] == [(-1.0,), (-1.5,), (-0.5,), (-0.25,)]


def test_an_auxiliary_value_alone_makes_a_train_crystal_and_no_other(tmp_path: Path) -> None:
    examples = read(tmp_path, ROWS, [ENERGY, GAP])
    found = {example.material_id: example.values for example in examples}
    assert found == {
        "both": (-1.0, 2.0),
        "energy": (-1.5, None),
        "gap": (None, 0.0),
        "val-energy": (-0.5, None),
        "test-both": (-0.25, 2.5),
    }


def test_no_text_states_the_target_or_an_auxiliary_one(tmp_path: Path) -> None:
    rows: list[Row] = []
    for i, row in enumerate(narratives()):
        energy, gap = (row[COLUMNS[name]] for name in (ENERGY, GAP))
        assert isinstance(energy, float)
        assert isinstance(gap, float)
        rows.append((f"m{i:04d}", "train", energy, gap, f"{row['gpt_text']} {row['gpt_explanation']}"))
    alone = read(tmp_path, rows, [ENERGY])
    together = read(tmp_path, rows, [ENERGY, GAP])
    for example in together:
        for name, value in zip((ENERGY, GAP), example.values, strict=True):
            assert value is not None
            assert not re.search(BETRAYING[name], example.text), example.text
            assert not any(states(number, value) for number in printed_values(example.text)), example.text
    # what the target alone would have left in tells the auxiliary one, so that the check above can fail
    assert sum(bool(re.search(BETRAYING[GAP], example.text)) for example in alone) > 100
    assert sum(bool(example.text) for example in together) > 300


def test_each_crystal_gets_its_preferred_text_and_one_without_gets_none(tmp_path: Path) -> None:
    names = ["a", "b", "c", "d"]
    pq.write_table(pa.table({"material_id": names, ENERGY: [1.0] * 4, GAP: [1.0] * 4}), tmp_path / "crystals.parquet")
    rows = [("a", "original"), ("a", "robocrystallographer"), ("c", "robocrystallographer"), ("d", "original")]
    views = {"material_id": [name for name, _ in rows], "view": [view for _, view in rows]}
    texts = {"text": [f"{view.title()} of {name}." for name, view in rows]}
    pq.write_table(pa.table(views | texts), tmp_path / "narratives.parquet")
    split_of = {"a": "test", "b": "train", "c": "train", "d": "val"}
    expected = {
        "narrative": {"a": "Original of a.", "d": "Original of d."},
        "robocrystallographer": {"a": "Robocrystallographer of a.", "d": ""},
    }
    for text, differing in expected.items():
        found = {row.material_id: row.text for row in open_examples(tmp_path, split_of, [ENERGY], text)}
        assert found == {"b": "", "c": "Robocrystallographer of c."} | differing


def test_the_target_itself_among_the_auxiliary_ones_is_ignored() -> None:
    found = learned_targets(GAP, {ENERGY: ["energy"], GAP: []}, PARAMS.targets, CRYSTALS_SCHEMA.names)
    assert list(found) == [GAP, ENERGY]
    assert found == {GAP: PARAMS.targets[GAP].mentions, ENERGY: ["energy"]}


def test_an_unknown_auxiliary_target_is_named_with_the_valid_ones() -> None:
    with pytest.raises(StageError, match=r"auxiliary_targets holds gap, .*formation_energy_per_atom.*, band_gap"):
        learned_targets(ENERGY, {"gap": []}, PARAMS.targets, CRYSTALS_SCHEMA.names)
    with pytest.raises(StageError, match=r"^gap is not among .*formation_energy_per_atom, band_gap$"):
        learned_targets("gap", {}, PARAMS.targets, CRYSTALS_SCHEMA.names)


def test_a_target_is_a_column_of_numbers_that_the_crystals_have() -> None:
    known = PARAMS.targets | {"hardness": PARAMS.targets[GAP], "density": PARAMS.targets[GAP]}
    own = crystals_schema(["hardness"]).names
    assert list(learned_targets(GAP, {"hardness": []}, known, own)) == [GAP, "hardness"]
    assert list(learned_targets("hardness", {}, known, own)) == ["hardness"]
    with pytest.raises(StageError, match=r"targets holds hardness, .*total_magnetization$"):
        learned_targets("hardness", {}, known, CRYSTALS_SCHEMA.names)
    with pytest.raises(StageError, match=r"targets holds density, .*hardness$"):
        learned_targets("density", {}, known, own)
