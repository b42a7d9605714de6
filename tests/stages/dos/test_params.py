"""The `dos` section of params.yaml and the losses it names."""

from typing import get_args

import pytest
from pydantic import ValidationError

from models.dos.losses import SPECTRUM_LOSSES
from stages.shared.params import DosParams, load_params
from tests.pipeline.imports import ROOT

PARAMS = load_params("dos", path=ROOT / "params.yaml").dos.model_dump()


def test_params_name_every_loss() -> None:
    assert set(get_args(DosParams.model_fields["loss"].annotation)) == set(SPECTRUM_LOSSES)


@pytest.mark.parametrize("loss", ["wasserstein", "kl"])
def test_a_loss_of_the_shape_alone_needs_the_sum_rule(loss: str) -> None:
    with pytest.raises(ValidationError, match="compares shapes only; set sum_rule_weight"):
        DosParams.model_validate(PARAMS | {"loss": loss, "sum_rule_weight": 0.0})
    assert DosParams.model_validate(PARAMS | {"loss": loss, "sum_rule_weight": 0.1}).loss == loss
