import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from models.fusion import FusionRegressor
from models.graph.painn.model import PaiNN
from stages.fusion.dataset import LabelledCrystals
from stages.fusion.task import FusionTask
from stages.shared.encoded_texts import encode_texts
from stages.shared.encoders import build_text_encoder
from stages.shared.params import load_params
from stages.shared.tokenizers import build_tokenizer
from tests.pipeline.imports import ROOT
from tests.stages.graph_tables import graph_table, simple_cubic

PARAMS = load_params("encoder", "text_encoder", "fusion", path=ROOT / "params.yaml")
TOKENIZER = build_tokenizer(PARAMS.text_encoder)


class Example(NamedTuple):
    """A crystal of one element with what may be read of it and its targets, None where unknown."""

    material_id: str
    atomic_number: int
    text: str
    values: tuple[float | None, ...]
    split: str


def examples(n: int, spread: float = 1.0) -> list[Example]:
    splits = ["train", "train", "val", "test"]
    return [
        Example(f"m{i}", i % 90 + 1, f"Text {i}." if i % 3 else "", (5.0 + spread * i,), splits[i % 4])
        for i in range(n)
    ]


def with_auxiliary(rows: list[Example]) -> list[Example]:
    """Add an auxiliary target of another size that every third crystal lacks, and train crystals that have it alone."""
    both = [row._replace(values=(*row.values, 100.0 * i if i % 3 else None)) for i, row in enumerate(rows)]
    return both + [Example(f"x{i}", i + 1, "Only this.", (None, 50.0 * i), "train") for i in range(4)]


def opened(rows: list[Example]) -> LabelledCrystals:
    graphs = graph_table([simple_cubic(*row[:2]) for row in rows], [row.split for row in rows])
    with tempfile.TemporaryDirectory() as folder:
        texts = encode_texts(Path(folder) / "texts.arrow", ([row.text] for row in rows), TOKENIZER)
    return LabelledCrystals(graphs, texts, np.array([row.values for row in rows], dtype=np.float64))


def task_of(rows: list[Example], kind: str = PARAMS.fusion.target_normalization) -> FusionTask:
    return FusionTask(opened(rows), PARAMS.fusion.model_copy(update={"target_normalization": kind}), TOKENIZER)


def regressor(n_targets: int = 1) -> FusionRegressor:
    torch.manual_seed(0)
    towers = PaiNN(16, 1, 8, 6.0), build_text_encoder(PARAMS.text_encoder)
    return FusionRegressor(*towers, "cross_attention", 32, 4, 0.0, n_targets).eval()


NORMALISED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "standardize": lambda y: (y - y.mean()) / y.std(),
    "bias": lambda y: y - y.mean(),
    "scale": lambda y: y / y.std(),
    "none": lambda y: y,
}


@pytest.mark.parametrize("kind", NORMALISED)
def test_targets_are_normalised_by_the_train_split_alone(kind: str) -> None:
    rows = examples(16)
    task = task_of(rows, kind)
    values = np.array([row.values[0] for row in rows if row.split == "train"])
    target = task.batch(np.arange(8), np.random.RandomState(0)).target
    np.testing.assert_allclose(target[:, 0], NORMALISED[kind](values), rtol=1e-6)


@pytest.mark.parametrize("kind", NORMALISED)
def test_a_prediction_is_taken_back_to_the_unit_of_the_target(kind: str) -> None:
    rows = examples(16)
    task = task_of(rows, kind)
    model, train = regressor(), [row for row in rows if row.split == "train"]
    batch = task.batch(np.arange(len(train)), np.random.RandomState(0))
    with torch.no_grad():
        raw = model(batch.crystals, batch.tokens).fused[:, 0].double().numpy()
    values = np.array([row.values[0] for row in train])
    slope = {"standardize": values.std(), "scale": values.std(), "bias": 1.0, "none": 1.0}[kind]
    offset = {"standardize": values.mean(), "bias": values.mean(), "scale": 0.0, "none": 0.0}[kind]
    np.testing.assert_allclose(task.predict(model, opened(train))["fused"], slope * raw + offset, rtol=1e-5)


def test_each_target_is_normalised_by_its_own_known_values() -> None:
    rows = with_auxiliary(examples(16))
    task = task_of(rows)
    train = [row for row in rows if row.split == "train"]
    target = task.batch(np.arange(len(train)), np.random.RandomState(0)).target.numpy()
    for column in (0, 1):
        known = [i for i, row in enumerate(train) if row.values[column] is not None]
        values = np.array([train[i].values[column] for i in known], dtype=float)
        assert 0 < len(known) < len(train)
        np.testing.assert_allclose(target[known, column], (values - values.mean()) / values.std(), rtol=1e-5, atol=1e-6)
        assert np.isnan(np.delete(target[:, column], known)).all()


def test_auxiliary_targets_do_not_change_what_is_validated_and_predicted() -> None:
    rows = examples(16)
    alone = task_of(rows)
    together = task_of(with_auxiliary(rows))
    model = regressor(n_targets=2)
    assert together.validate(model) == alone.validate(model)
    predicted = [task.predict(model, opened(rows))["text"] for task in (together, alone)]
    np.testing.assert_array_equal(*predicted)


def test_crystals_with_an_auxiliary_value_alone_are_learned_from() -> None:
    rows = with_auxiliary(examples(16))
    task = task_of(rows)
    model = regressor(n_targets=2)
    only = [i for i, row in enumerate(row for row in rows if row.split == "train") if row.values[0] is None]
    task.loss(model, task.batch(np.array(only), np.random.RandomState(0))).backward()
    gradient = dict(model.named_parameters())["fused_head.1.3.bias"].grad
    assert gradient is not None
    assert len(only) == 4
    assert gradient[0] == 0
    assert gradient[1] != 0


def test_an_auxiliary_target_that_no_crystal_has_leaves_the_loss_finite() -> None:
    rows = [row._replace(values=(*row.values, None)) for row in examples(8)]
    task = task_of(rows)
    loss = task.loss(regressor(n_targets=2), task.batch(np.arange(4), np.random.RandomState(0)))
    assert torch.isfinite(loss)
    assert (task.normalization.mean[1], task.normalization.scale[1]) == (0.0, 1.0)


def test_predictions_are_in_the_unit_of_the_target_and_validation_is_their_error() -> None:
    rows = examples(16)
    task = task_of(rows)
    model = regressor()
    held_out = [row for row in rows if row.split == "val"]
    predicted = task.predict(model, opened(held_out))
    errors = [abs(value - row.values[0]) for value, row in zip(predicted["fused"], held_out, strict=True)]
    assert task.validate(model)["val_loss"] == pytest.approx(np.mean(errors))
    assert {name: len(values) for name, values in predicted.items()} == {"fused": 4, "structure": 4, "text": 4}


def test_a_prediction_does_not_depend_on_what_else_is_predicted() -> None:
    rows = examples(16)
    task = task_of(rows)
    model = regressor()
    together = task.predict(model, opened(rows))["fused"]
    alone = np.concatenate([task.predict(model, opened([row]))["fused"] for row in rows])
    np.testing.assert_allclose(together, alone, rtol=1e-5)


def test_one_value_everywhere_is_learned_as_that_value() -> None:
    task = task_of(examples(8, spread=0.0))
    assert (task.normalization.mean, task.normalization.scale) == (5.0, 1.0)
    assert torch.isfinite(task.loss(regressor(), task.batch(np.arange(4), np.random.RandomState(0))))


def test_training_hides_modalities_at_the_given_rates_but_never_both() -> None:
    task = task_of(examples(400))
    batch = task.batch(np.arange(200), np.random.RandomState(0))
    assert (batch.keep_structure | batch.keep_text).all()
    hidden = (~batch.keep_structure).double().mean().item(), (~batch.keep_text).double().mean().item()
    expected = PARAMS.fusion.structure_dropout, PARAMS.fusion.text_dropout
    np.testing.assert_allclose(hidden, expected, atol=3 * np.sqrt(0.1 * 0.9 / 200))


def test_nothing_to_predict_is_no_error() -> None:
    rows = examples(8)
    nothing = opened(rows).select(np.zeros(8, dtype=bool))
    assert task_of(rows).predict(regressor(), nothing)["fused"].shape == (0,)
