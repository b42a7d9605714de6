"""The boxes of the pipeline say what dvc.yaml says."""

from pathlib import Path

import pytest
import yaml

from stages.report.pipeline import pipeline_layers

STAGES = yaml.safe_load(
    """
fetch:
  foreach: [one, two]
  do: {desc: Get, deps: ["${fetch.folder}"], outs: ["data/raw/${item}"]}
graphs: {deps: [data/raw], outs: [data/graphs]}
train:
  matrix: {target: "${targets}"}
  deps: [data/graphs/train.parquet]
  outs: ["data/predictions/${item.target}.parquet"]
other: {deps: [data/rawhide]}
score:
  foreach: ${targets}
  do: {deps: ["data/predictions/${key}.parquet"], metrics: [{"metrics/${key}.json": {cache: false}}]}
page: {deps: [metrics], plots: [plots/page.csv]}
"""
)


def test_a_stage_reads_from_those_whose_outputs_overlap_its_inputs() -> None:
    boxes = {box.name: box for layer in pipeline_layers(STAGES, {"targets": ["gap"]}) for box in layer}
    assert {name: box.reads_from for name, box in boxes.items()} == {
        "fetch": (),
        "graphs": ("fetch",),
        "train": ("graphs",),
        "other": (),
        "score": ("train",),
        "page": ("score",),
    }
    assert boxes["fetch"].variants == ("one", "two")
    assert boxes["train"].variants == boxes["score"].variants == ("gap",)
    assert boxes["fetch"].description == "Get"


def test_every_stage_comes_after_those_it_reads_from() -> None:
    stages = yaml.safe_load((Path(__file__).parents[3] / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    seen: set[str] = set()
    for layer in pipeline_layers(stages, {}):
        assert all(seen.issuperset(box.reads_from) for box in layer)
        seen |= {box.name for box in layer}
    assert seen == set(stages)


def test_a_circle_is_refused() -> None:
    with pytest.raises(ValueError, match="circle: \\['a', 'b'\\]"):
        pipeline_layers({"a": {"deps": ["x"], "outs": ["y"]}, "b": {"deps": ["y"], "outs": ["x"]}}, {})
