"""Numbers and words as a reader sees them."""

import math

import pytest

from stages.report.formatting import count, interval, number, percent, percent_plus_minus, plus_minus, title


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.219466, "0.219"),
        (1.5, "1.50"),
        (26.0, "26.0"),
        (123.4, "123"),
        (1234.5, "1,234"),
        (-0.5, "−0.500"),
        (0.0, "0.00"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_numbers_have_three_significant_digits(value: float | None, shown: str) -> None:
    assert number(value) == shown


def test_units_follow_numbers_but_not_a_dash() -> None:
    assert number(0.25, "eV") == "0.250 eV"
    assert number(None, "eV") == "–"
    assert interval(0.1, 0.2, "eV") == "0.100 to 0.200 eV"
    assert interval(None, 0.2) == "–"


def test_a_deviation_follows_its_mean() -> None:
    assert plus_minus(0.5, 0.25) == "0.500 ± 0.250"
    assert plus_minus(0.1789, 0.00745) == "0.179 ± 0.007"
    assert plus_minus(-12.34, 2.345) == "−12.3 ± 2.3"
    assert plus_minus(0.01, 12.34) == "0.0100 ± 12.3"
    assert plus_minus(123.4, 2345.6) == "123 ± 2,346"
    assert plus_minus(0.5, None) == "0.500"
    assert plus_minus(None, None) == "–"
    assert percent_plus_minus(0.773, 0.037) == "77 ± 4 %"
    assert percent_plus_minus(0.0128, 0.0049) == "1.3 ± 0.5 %"
    assert percent_plus_minus(0.773, None) == "77 %"
    assert percent_plus_minus(None, None) == "–"


@pytest.mark.parametrize(
    ("value", "shown"), [(1.0, "100 %"), (0.0, "0 %"), (0.0128, "1.3 %"), (0.423, "42 %"), (None, "–")]
)
def test_percentages_have_two_significant_digits(value: float | None, shown: str) -> None:
    assert percent(value) == shown


def test_one_thing_is_singular() -> None:
    assert [count(n, "crystal") for n in (0, 1, 2, 1500)] == ["0 crystals", "1 crystal", "2 crystals", "1,500 crystals"]
    assert title("phonon_dos") == "phonon DOS"
