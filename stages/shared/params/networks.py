"""The sections of the graph tower and of the text tower."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from stages.shared.params.section import Positive, PositiveFloat, Probability, Section, require_divisible


class PaiNNParams(Section):
    """PaiNN and CLaC's variant of it."""

    n_interactions: Positive
    n_radial: Positive
    variant: Literal["paper", "clac"]
    element_features: Literal["learned", "one_hot"]


class CGCNNParams(Section):
    """The crystal graph convolutional network and CLaC's variant of it."""

    n_convolutions: Positive
    n_radial: Annotated[int, Field(gt=1)]
    variant: Literal["paper", "clac"]
    element_features: Literal["learned", "one_hot"]


class CrystalformerParams(Section):
    """Infinitely connected attention."""

    n_blocks: Positive
    n_heads: Positive
    feed_forward_dim: Positive
    domain: Literal["real", "reciprocal", "multihead", "alternating"]
    value_encoding: Literal["none", "distance", "angular"]
    n_radial: Positive
    real_scale: PositiveFloat
    reciprocal_scale: PositiveFloat
    gauss_lower_bound: Annotated[float, Field(gt=0, lt=1)]
    image_tolerance: Annotated[float, Field(gt=0, lt=1)]
    normalization: Literal["none", "post"]
    dropout: Probability


class PrecomputedParams(Section):
    """Embeddings that another model has made."""

    model: Literal["chgnet", "orb", "equiformer_v2", "files"]
    directory: str


class EncoderParams(Section):
    """The graph tower: its name, what all have in common, and one subsection for each."""

    name: Literal["painn", "cgcnn", "crystalformer", "precomputed"]
    dim: Positive
    pooling: Literal["mean", "sum"]
    painn: PaiNNParams
    cgcnn: CGCNNParams
    crystalformer: CrystalformerParams
    precomputed: PrecomputedParams

    @model_validator(mode="after")
    def _is_consistent(self) -> "EncoderParams":
        if self.name == "crystalformer":
            require_divisible(self.dim, self.crystalformer.n_heads)
            if self.crystalformer.domain == "multihead" and self.crystalformer.n_heads % 2:
                raise ValueError("crystalformer.domain multihead needs an even number of heads")
        return self


class TextEncoderParams(Section):
    """The text tower."""

    name: Literal["byte_transformer", "huggingface"]
    model: str
    revision: str | None
    dim: Positive
    n_layers: Positive
    n_heads: Positive
    byte_dim: Positive
    max_words: Positive
    max_bytes: Positive
    dropout: Probability

    @model_validator(mode="after")
    def _is_consistent(self) -> "TextEncoderParams":
        require_divisible(self.dim, self.n_heads)
        if self.name == "huggingface" and not self.model:
            raise ValueError("name huggingface needs a model, a folder or a hub name")
        return self
