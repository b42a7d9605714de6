"""How the features of its atoms become those of a crystal."""

from collections.abc import Callable

from torch import Tensor

from models.layers import segment_mean, segment_sum


def pooling_function(pooling: str) -> Callable[[Tensor, Tensor, int], Tensor]:
    """Return the function from (nodes (n_atoms, d), batch (n_atoms,), n_crystals) to pooled (n_crystals, d).

    Args:
        pooling: "mean" over atoms (intensive: a supercell has the features of its primitive cell) or "sum".

    Raises:
        ValueError: unknown pooling.
    """
    functions = {"mean": segment_mean, "sum": segment_sum}
    if pooling not in functions:
        raise ValueError(f"pooling is {pooling!r}, expected 'mean' or 'sum'")
    return functions[pooling]
