"""What every section of params.yaml is made of: the strict base class and the numbers and words that have bounds."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, Field(ge=0, allow_inf_nan=False)]
FiniteFloat = Annotated[float, Field(allow_inf_nan=False)]
Probability = Annotated[float, Field(ge=0, lt=1)]
CrystalSystem = Literal["cubic", "hexagonal", "tetragonal", "trigonal", "orthorhombic", "monoclinic", "triclinic"]


class Section(BaseModel):
    """A part of params.yaml: no unknown key, no value of another type, no change once it is read."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def require_divisible(width: int, n_heads: int) -> None:
    """Refuse a width that cannot be shared out among the heads of attention.

    Raises:
        ValueError: `width` is not a multiple of `n_heads`.
    """
    if width % n_heads:
        raise ValueError(f"dim {width} must be a multiple of n_heads {n_heads}")
