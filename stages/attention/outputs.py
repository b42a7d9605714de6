"""The tables of attention: one row per energy and site, one row per energy and element."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Element

from models.dos.attention_maps import sum_by_element
from stages.attention.inspection import Inspection
from stages.attention.projected import projected_shares, share_correlation
from stages.shared.text_files import write_csv

STACKS = ("gather", "refine")
"""T1 and T3 of the paper: energies look at atoms before and after they know the crystal."""


def site_names(seen: Inspection) -> list[str]:
    """Return element and number of each site, counted from 1 as in the CIF: `Mg1`, `O2`."""
    return [f"{Element.from_Z(z).symbol}{place}" for place, z in enumerate(_atomic_numbers(seen), start=1)]


def write_sites(path: Path, seen: Inspection) -> None:
    """Write attention and occlusion by energy and site.

    Columns: `energy` (unit of the grid), `site`, `element`, `<stack>_layer<k>` the attention of each layer, which sums
    to 1 over the sites of an energy, and `occlusion`, what hiding the site takes from the spectrum, empty for a crystal
    of one atom.
    """
    layers = {
        f"{stack}_layer{place}": weights.numpy()
        for stack in STACKS
        for place, weights in enumerate(getattr(seen.maps, stack), start=1)
    }
    write_csv(path, ["energy", "site", "element", *layers, "occlusion"], _site_rows(seen, list(layers.values())))


def _site_rows(seen: Inspection, layers: list[NDArray[np.float32]]) -> Iterator[list[object]]:
    for row, energy in enumerate(seen.grid):
        for place, z in enumerate(_atomic_numbers(seen)):
            change = None if seen.occlusion is None else seen.occlusion[place, row]
            yield [energy, place + 1, Element.from_Z(z).symbol, *(weights[row, place] for weights in layers), change]


def write_elements(path: Path, seen: Inspection, projected: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Write attention by energy and element, the mean over layers, beside the element's share of the states.

    Columns: `energy`, `element`, `gather` and `refine`, which sum to 1 over the elements of an energy, and
    `projected_share`, empty where no projected density of states was delivered or there are next to no states.

    Returns:
        By element the correlation of `refine` with `projected_share` over the energies, where it is defined.
    """
    elements, gather = sum_by_element(seen.maps.gather.mean(dim=0), seen.inputs.crystal.atomic_numbers)
    _, refine = sum_by_element(seen.maps.refine.mean(dim=0), seen.inputs.crystal.atomic_numbers)
    symbols = [Element.from_Z(z).symbol for z in elements.tolist()]
    unknown = np.full(len(seen.grid), np.nan)
    known = projected_shares(dict(projected))
    shares = np.stack([known.get(symbol, unknown) for symbol in symbols], axis=1)  # (n_bins, n_elements)
    rows = (
        [energy, symbol, gather[row, place].item(), refine[row, place].item(), _number_or_none(shares[row, place])]
        for row, energy in enumerate(seen.grid)
        for place, symbol in enumerate(symbols)
    )
    write_csv(path, ["energy", "element", *STACKS, "projected_share"], rows)
    correlations = {
        symbol: share_correlation(refine[:, place].double().numpy(), shares[:, place])
        for place, symbol in enumerate(symbols)
    }
    return {symbol: value for symbol, value in correlations.items() if value is not None}


def _number_or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _atomic_numbers(seen: Inspection) -> list[int]:
    numbers: list[int] = seen.inputs.crystal.atomic_numbers.tolist()
    return numbers
