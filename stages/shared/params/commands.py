"""The sections of the commands that are no stages of the pipeline."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from stages.shared.params.section import (
    CrystalSystem,
    FiniteFloat,
    NonNegativeFloat,
    Positive,
    PositiveFloat,
    Probability,
    Section,
)


class TransferParams(Section):
    """Learning curves with and without pretraining, and a crystal system learned from a few crystals."""

    seeds: Positive
    label_shares: Annotated[list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=1)]
    steps: Positive
    batch_size: Positive
    pretraining_epochs: Positive
    masked_share: Probability
    noise: PositiveFloat
    new_system: CrystalSystem
    shots: Positive
    shot_epochs: Positive


class UncertaintyParams(Section):
    """How sure the DOS transformer is."""

    members: Annotated[int, Field(gt=1)]
    dropout_passes: Annotated[int, Field(gt=1)]


class WindowParams(Section):
    """The values of a property that a campaign looks for; a side that is null is open."""

    property: str
    low: FiniteFloat | None
    high: FiniteFloat | None

    @model_validator(mode="after")
    def _is_a_window(self) -> "WindowParams":
        if self.low is None and self.high is None:
            raise ValueError("a window needs low or high")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError("low must be below high")
        return self


class ObjectiveParams(Section):
    """What a campaign looks for: crystals with all their properties in the windows."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    windows: Annotated[list[WindowParams], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_a_property_once(self) -> "ObjectiveParams":
        if len({window.property for window in self.windows}) < len(self.windows):
            raise ValueError("a property has one window")
        return self


class ActiveParams(Section):
    """The simulated campaigns of active learning."""

    seed: int
    campaigns: Positive
    initial_labels: Positive
    batch_size: Positive
    rounds: Positive
    max_labels: Positive
    acquisitions: Annotated[
        list[Literal["probability", "expected_improvement", "upper_confidence_bound"]], Field(min_length=1)
    ]
    kappa: NonNegativeFloat
    diversity: NonNegativeFloat
    objectives: Annotated[list[ObjectiveParams], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_once(self) -> "ActiveParams":
        names = [objective.name for objective in self.objectives]
        if len(set(names)) < len(names) or len(set(self.acquisitions)) < len(self.acquisitions):
            raise ValueError("objectives and acquisitions are each named once")
        return self
