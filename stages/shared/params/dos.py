"""The sections of the densities of states and of the DOS transformer."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from stages.shared.params.section import (
    Count,
    NonNegativeFloat,
    Positive,
    PositiveFloat,
    Probability,
    Section,
    require_divisible,
)
from stages.shared.params.training import TrainingParams


class DosKindParams(Section):
    """The recipe of one kind of density of states: grid, smoothing, scale."""

    minimum: float
    maximum: float
    bins: Annotated[int, Field(gt=1)]
    unit: str
    smoothing_width: PositiveFloat
    smoothing_order: Count
    beyond: Literal["zero", "unknown"]
    states_per_atom: PositiveFloat | None
    normalization: Literal["max", "sum", "none"]

    @model_validator(mode="after")
    def _is_a_grid(self) -> "DosKindParams":
        if self.minimum >= self.maximum:
            raise ValueError("minimum must be below maximum")
        return self


class DosTransformerParams(Section):
    """What the corrected DOS transformer has for itself."""

    descriptors: bool
    n_heads: Positive
    attention: Literal["projected", "plain"]
    energies: Literal["both", "table", "waves"]


class DosPublishedParams(Section):
    """What the published DOS transformer has for itself."""

    n_graph_layers: Positive


class DosParams(TrainingParams):
    """The DOS transformer."""

    model: Literal["transformer", "published"]
    global_inputs: list[str]
    dim: Positive
    n_layers: Positive
    dropout: Probability
    transformer: DosTransformerParams
    published: DosPublishedParams
    system_weight: PositiveFloat
    loss: Literal["rmse", "mse", "mae", "wasserstein", "kl"]
    sum_rule_weight: NonNegativeFloat

    @model_validator(mode="after")
    def _learns_the_size(self) -> "DosParams":
        if self.loss in ("wasserstein", "kl") and not self.sum_rule_weight:
            raise ValueError(
                f"loss {self.loss} compares shapes only; set sum_rule_weight above 0 to learn the size too"
            )
        return self

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> "DosParams":
        if self.model == "transformer" and self.transformer.attention == "projected":
            require_divisible(self.dim, self.transformer.n_heads)
        return self
