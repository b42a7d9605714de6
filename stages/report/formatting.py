"""Numbers as a reader wants to see them."""

import math
from collections.abc import Callable, Iterable

MISSING = "–"
DIRECTIONS = {"text_to_crystal": "Text → crystal", "crystal_to_text": "Crystal → text"}
"""Of retrieval, with their labels."""


def number(value: float | None, unit: str = "") -> str:
    """Return three significant digits with the unit, `–` for no value: 1234.5 is `1,234`, −0.5 is `−0.500`."""
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.3g}".rstrip(".")
    text = text.replace("-", "−")
    return f"{text} {unit}" if unit else text


def interval(low: float | None, high: float | None, unit: str = "") -> str:
    """Return `low to high unit`, `–` where there is none."""
    if low is None or high is None:
        return MISSING
    return f"{number(low)} to {number(high, unit)}"


def plus_minus(mean: float | None, deviation: float | None) -> str:
    """Return `mean ± deviation`, the latter to no more decimals than the mean: `0.179 ± 0.007`.

    Where there is no deviation it is the mean alone, where there is no mean `–`.
    """
    if mean is None or deviation is None:
        return number(mean)
    decimals = min(len(number(value).partition(".")[2]) for value in (mean, deviation))
    return f"{number(mean)} ± {deviation:,.{decimals}f}"


def percent(value: float | None) -> str:
    """Return a fraction as a percentage with two significant digits, `–` for no value; 1 is `100 %`."""
    if value is None:
        return MISSING
    text = f"{100 * value:.0f}" if abs(value) >= 0.0995 else f"{100 * value:.2g}"
    return f"{text} %"


def percent_plus_minus(mean: float | None, deviation: float | None) -> str:
    """Return two fractions as percentages, 0.773 and 0.037 as `77 ± 4 %`, both with the decimals of the mean."""
    if mean is None or deviation is None:
        return percent(mean)
    text = percent(mean).removesuffix(" %")
    return f"{text} ± {100 * deviation:.{len(text.partition('.')[2])}f} %"


def each(values: Iterable[float | None], show: Callable[[float | None], str]) -> str:
    """Return all values in a row, each as `number` or `percent` shows it."""
    return ", ".join(show(value) for value in values)


def count(n: int, noun: str) -> str:
    """Return `1 crystal`, `2 crystals`, `1,234 crystals`; the plural takes an s."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def title(name: str) -> str:
    """Return a name of a file or column as words: `phonon_dos` is `phonon DOS`."""
    return name.replace("_", " ").replace(" dos", " DOS")
