"""The sections of the stages that score what has been trained."""

from typing import Annotated

from pydantic import Field

from stages.shared.params.section import Positive, PositiveFloat, Section


class ZeroShotParams(Section):
    """Retrieval and multiple choice with the pretrained towers."""

    seed: int
    pool_sizes: list[Annotated[int, Field(gt=1)]]
    bootstrap_samples: Positive
    composition_options: Annotated[int, Field(gt=1)]


class EvaluateParams(Section):
    """Metrics and baselines."""

    seed: int
    forest_trees: Positive
    bootstrap_samples: Positive
    temperature: PositiveFloat
    zero_threshold: Annotated[float, Field(gt=0, lt=1)]
    predicted_zero_thresholds: Annotated[list[Annotated[float, Field(gt=0, lt=1)]], Field(min_length=1)]
