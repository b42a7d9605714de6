"""The stage with towers that know the elements and nothing else: what it finds, and that it copes with little."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pymatgen.core import Element

from stages.shared.graphs import GraphTable
from stages.shared.params import load_params
from stages.shared.schemas import NARRATIVES_SCHEMA
from stages.shared.tables import read_table, write_table
from stages.shared.text_files import read_csv
from stages.zero_shot import __main__ as zero_shot
from tests.pipeline.imports import ROOT
from tests.stages.evaluate.world import write_graphs, write_world

NAMES = {Element.from_Z(z).long_name.lower(): z for z in range(1, 119)}


def of_elements(numbers: Sequence[int]) -> np.ndarray:
    row = np.full(119, 1e-3)
    row[list(numbers)] = 1.0
    return row / np.linalg.norm(row)


def embed_crystals(towers: object, graphs: GraphTable) -> np.ndarray:
    numbers = [graphs.batch(np.array([place])).atomic_numbers.tolist() for place in range(len(graphs))]
    rows = [of_elements(of_crystal) for of_crystal in numbers]
    return np.array(rows, dtype=np.float32).reshape(-1, 119)


def embed_texts(towers: object, texts: Sequence[str]) -> np.ndarray:
    words = [re.findall(r"[a-z]+", text.lower()) for text in texts]
    rows = [of_elements([NAMES[word] for word in text if word in NAMES]) for text in words]
    return np.array(rows, dtype=np.float32).reshape(-1, 119)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder with the toy towers."""
    monkeypatch.chdir(tmp_path)
    towers = SimpleNamespace(encoder=load_params("encoder", path=ROOT / "params.yaml").encoder)
    monkeypatch.setattr(zero_shot, "load_contrastive_model", lambda path: towers)
    monkeypatch.setattr(zero_shot, "embed_crystals", embed_crystals)
    monkeypatch.setattr(zero_shot, "embed_texts", embed_texts)
    return tmp_path


def read_metrics() -> dict:
    return json.loads(Path("metrics/zero_shot.json").read_text())


def test_towers_that_know_the_elements_find_every_crystal_and_answer_on_composition_only(folder: Path) -> None:
    world = write_world(folder)
    zero_shot.main()
    metrics = read_metrics()
    for gallery in ("main", "robocrystallographer"):
        for direction in ("text_to_crystal", "crystal_to_text"):
            assert metrics[gallery][direction]["n"] == world.splits.count("test")
            assert metrics[gallery][direction]["top_1"] == 1.0
            assert metrics[gallery][direction]["top_1_chance"] == pytest.approx(1 / 24, rel=1e-5)
    assert metrics["main"]["text_to_crystal"]["pool_10"]["top_1"] == 1.0
    assert metrics["main"]["text_to_crystal"]["pool_64"] == {
        "n": 0,
        **dict.fromkeys(set(metrics["main"]["text_to_crystal"]["pool_10"]) - {"n"}),
    }
    questions = metrics["questions"]
    assert questions["composition"]["accuracy"] == 1.0
    for kind in ("crystal_system", "anion_chemistry"):
        assert questions[kind]["accuracy"] == pytest.approx(questions[kind]["chance"])
    for scores in questions.values():
        assert scores["text_only_accuracy"] == pytest.approx(scores["chance"], rel=1e-5)


def test_metrics_can_be_computed_from_the_prediction_table(folder: Path) -> None:
    write_world(folder)
    zero_shot.main()
    table = read_table(Path("data/predictions/zero_shot.parquet")).to_pandas()
    for direction in ("text_to_crystal", "crystal_to_text"):
        for pool, n in (("whole", 24), ("pool_10", 10)):
            rows = table[(table.gallery == "main") & (table.direction == direction) & (table.pool == pool)]
            scores = read_metrics()["main"][direction]
            scores = scores if pool == "whole" else scores[pool]
            assert set(rows["n"]) == {n}
            assert scores["mrr"] == pytest.approx((1 / rows["rank"]).mean(), rel=1e-5)
    assert table["material_id"].is_monotonic_increasing


def test_the_same_run_twice_writes_the_same_bytes(folder: Path) -> None:
    write_world(folder, n=60)
    written = []
    for _ in range(2):
        zero_shot.main()
        outputs = [
            *Path("plots").rglob("*.*"),
            Path("metrics/zero_shot.json"),
            Path("data/predictions/zero_shot.parquet"),
        ]
        written.append({path: path.read_bytes() for path in outputs})
    assert len(written[0]) == 6
    assert written[0] == written[1]


def test_the_towers_compute_with_the_threads_that_are_set(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_world(folder)
    used = []

    def counting(towers: object, texts: Sequence[str]) -> np.ndarray:
        used.append((torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()))
        return embed_texts(towers, texts)

    monkeypatch.setattr(zero_shot, "embed_texts", counting)
    before = torch.get_num_threads()
    try:
        for threads in (1, 3):
            monkeypatch.setenv("XTALK_THREADS", str(threads))
            zero_shot.main()
            assert set(used) == {(threads, True)}
            used.clear()
    finally:
        torch.set_num_threads(before)


def test_a_narrative_is_preferred_to_robocrystallographer_in_the_main_gallery_only(folder: Path) -> None:
    world = write_world(folder, n=60)
    table = read_table(Path("data/narratives.parquet")).to_pydict()
    ids = [one for one, split in zip(world.material_ids, world.splits, strict=True) if split == "test"]
    table["material_id"] += ids
    table["view"] += ["original"] * len(ids)
    table["text"] += ["Words about nothing."] * len(ids)
    write_table(Path("data/narratives.parquet"), table, NARRATIVES_SCHEMA)
    zero_shot.main()
    assert read_metrics()["main"]["text_to_crystal"]["top_1_chance"] == 1.0  # all texts are the same: all are right
    assert read_metrics()["robocrystallographer"]["text_to_crystal"]["top_1_chance"] == pytest.approx(1 / 12, rel=1e-5)


@pytest.mark.parametrize("missing", ["crystals", "texts"])
def test_nothing_to_ask_gives_nulls_and_figures_that_say_so(folder: Path, missing: str) -> None:
    world = write_world(folder, n=20, test=missing == "texts")
    if missing == "texts":
        empty: dict[str, list[str]] = {name: [] for name in NARRATIVES_SCHEMA.names}
        write_table(Path("data/narratives.parquet"), empty, NARRATIVES_SCHEMA)
    else:
        write_graphs(Path("data/graphs/test.parquet"), world, "test")
    zero_shot.main()
    scores = read_metrics()["main"]["text_to_crystal"]
    assert scores["n"] == 0
    assert scores["top_1"] is scores["top_1_chance"] is None
    assert read_csv(Path("plots/zero_shot/retrieval.csv")) == []
    assert Path("plots/zero_shot/retrieval.png").stat().st_size > 0
    assert read_metrics()["questions"]["composition"]["n"] == (0 if missing == "crystals" else 4)
