"""The sections of the training stages, but for that of the DOS transformer."""

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


class TrainingParams(Section):
    """What every training run has in common."""

    seed: int
    epochs: Positive
    batch_size: Positive
    learning_rate: PositiveFloat
    schedule: Literal["cosine", "inverse_sqrt", "constant"]
    warmup_epochs: Count
    schedule_steps: Positive
    adam_betas: Annotated[list[Probability], Field(min_length=2, max_length=2)]
    weight_decay: NonNegativeFloat
    decay: Literal["matrices", "all_but_bias", "all"]
    gradient_clip: NonNegativeFloat
    patience: Count
    swa_epochs: Count

    @model_validator(mode="after")
    def _reaches_the_averaged_epochs(self) -> "TrainingParams":
        if self.swa_epochs >= self.epochs:
            raise ValueError(f"swa_epochs {self.swa_epochs} must be below epochs {self.epochs}")
        if self.swa_epochs and self.patience:
            raise ValueError("patience would stop training before the epochs that swa_epochs averages; set it to 0")
        return self


class PretrainParams(TrainingParams):
    """Contrastive pretraining."""

    texts: Literal["narratives", "papers", "mixed"]
    embedding_dim: Positive
    temperature: Annotated[float, Field(ge=0.01, le=1.0)]
    text_weight: NonNegativeFloat


class TargetParams(Section):
    """A scalar property to predict, and the words that would give it away."""

    label: str
    unit: str
    mentions: list[str]


class FusionParams(TrainingParams):
    """Structure-text regression."""

    pretrained: bool
    text: Literal["robocrystallographer", "narrative"]
    auxiliary_targets: dict[str, list[str]]
    target_normalization: Literal["standardize", "bias", "scale", "none"]
    mixing: Literal["cross_attention", "concat"]
    dim: Positive
    n_heads: Positive
    dropout: Probability
    structure_dropout: Probability
    text_dropout: Probability
    loss: Literal["l1", "mse", "smooth_l1"]
    fused_weight: PositiveFloat
    structure_weight: PositiveFloat
    text_weight: PositiveFloat

    @model_validator(mode="after")
    def _is_consistent(self) -> "FusionParams":
        require_divisible(self.dim, self.n_heads)
        if self.structure_dropout + self.text_dropout > 1:
            raise ValueError("structure_dropout + text_dropout must not exceed 1: one of the two always stays")
        return self
