import numpy as np
import pytest
import torch

from models.fusion import FusionRegressor
from stages.fusion.dataset import LabelledCrystal
from stages.fusion.task import FusionTask
from stages.shared.encoders import build_graph_encoder, build_text_encoder
from stages.shared.params import load_params
from stages.shared.tokenizers import build_tokenizer
from tests.pipeline.imports import ROOT
from tests.stages.pretrain.test_task import graph

PARAMS = load_params("encoder", "text_encoder", "fusion", path=ROOT / "params.yaml")
TOKENIZER = build_tokenizer(PARAMS.text_encoder)


def examples(n: int, spread: float = 1.0) -> list[LabelledCrystal]:
    splits = ["train", "train", "val", "test"]
    return [
        LabelledCrystal(graph(f"m{i}", i % 90 + 1), f"Text {i}." if i % 3 else "", 5.0 + spread * i, splits[i % 4])
        for i in range(n)
    ]


def regressor() -> FusionRegressor:
    torch.manual_seed(0)
    return FusionRegressor(
        build_graph_encoder(PARAMS.encoder, 6.0), build_text_encoder(PARAMS.text_encoder), "cross_attention", 32, 4, 0.0
    ).eval()


def test_targets_are_standardised_by_the_train_split_alone() -> None:
    rows = examples(16)
    task = FusionTask(rows, PARAMS.fusion, TOKENIZER)
    values = np.array([row.value for row in rows if row.split == "train"])
    target = task.batch(np.arange(8), np.random.RandomState(0)).target
    np.testing.assert_allclose(target, (values - values.mean()) / values.std(), rtol=1e-6)


def test_predictions_are_in_the_unit_of_the_target_and_validation_is_their_error() -> None:
    rows = examples(16)
    task = FusionTask(rows, PARAMS.fusion, TOKENIZER)
    model = regressor()
    held_out = [row for row in rows if row.split == "val"]
    predicted = task.predict(model, held_out)
    errors = [abs(value - row.value) for value, row in zip(predicted["fused"], held_out, strict=True)]
    assert task.validate(model)["val_loss"] == pytest.approx(np.mean(errors))
    assert {name: len(values) for name, values in predicted.items()} == {"fused": 4, "structure": 4, "text": 4}


def test_a_prediction_does_not_depend_on_what_else_is_predicted() -> None:
    rows = examples(16)
    task = FusionTask(rows, PARAMS.fusion, TOKENIZER)
    model = regressor()
    together = task.predict(model, rows)["fused"]
    alone = np.concatenate([task.predict(model, [row])["fused"] for row in rows])
    np.testing.assert_allclose(together, alone, rtol=1e-5)


def test_one_value_everywhere_is_learned_as_that_value() -> None:
    task = FusionTask(examples(8, spread=0.0), PARAMS.fusion, TOKENIZER)
    assert (task.mean, task.scale) == (5.0, 1.0)
    assert torch.isfinite(task.loss(regressor(), task.batch(np.arange(4), np.random.RandomState(0))))


def test_training_hides_modalities_at_the_given_rates_but_never_both() -> None:
    task = FusionTask(examples(400), PARAMS.fusion, TOKENIZER)
    batch = task.batch(np.arange(200), np.random.RandomState(0))
    assert (batch.keep_structure | batch.keep_text).all()
    hidden = (~batch.keep_structure).double().mean().item(), (~batch.keep_text).double().mean().item()
    expected = PARAMS.fusion.structure_dropout, PARAMS.fusion.text_dropout
    np.testing.assert_allclose(hidden, expected, atol=3 * np.sqrt(0.1 * 0.9 / 200))


def test_nothing_to_predict_is_no_error() -> None:
    task = FusionTask(examples(8), PARAMS.fusion, TOKENIZER)
    assert task.predict(regressor(), [])["fused"].shape == (0,)
