import gzip
import json
import re
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.fusion.redaction import speaks_of_target, without_target
from stages.shared.params import load_params

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = ROOT / "data/sample"
COLUMNS = {"formation_energy_per_atom": "formation energy per atom (eV/atom)", "band_gap": "band gap (eV)"}
BETRAYING = {  # phrases of the field that state the target with or without a number
    "formation_energy_per_atom": r"formation|hull|\bstable|unstable|decompos|eV",
    "band_gap": r"\bgap|\bmetal(?!s\b)|semiconduct|insulat|conduct|\beV|infrared|ultraviolet|visible",
}


def narratives() -> list[dict[str, object]]:
    return pq.read_table(SAMPLE / "narratives_mp_3d_2020.parquet").to_pylist()


def printed_values(text: str) -> list[Decimal]:
    return [Decimal(number) for number in re.findall(r"\d+\.\d+", text)]


def states(number: Decimal, value: float) -> bool:
    """Tell whether a printed number is the magnitude of a value rounded to the number's decimals."""
    return abs(Decimal(repr(abs(value))) - number) <= Decimal("0.5") * Decimal(10) ** number.as_tuple().exponent  # type: ignore[operator]


@pytest.mark.parametrize("target", COLUMNS)
def test_no_narrative_of_the_sample_states_the_target(target: str) -> None:
    mentions = load_params("targets", path=ROOT / "params.yaml").targets[target].mentions
    rows = narratives()
    for row in rows:
        value = row[COLUMNS[target]]
        assert isinstance(value, float)
        text = without_target(f"{row['gpt_text']} {row['gpt_explanation']}", mentions, value)
        assert not re.search(BETRAYING[target], text), text
        assert not any(states(number, value) for number in printed_values(text)), text
    assert len(rows) > 300


@pytest.mark.parametrize("target", COLUMNS)
def test_most_of_the_narrative_stays(target: str) -> None:
    mentions = load_params("targets", path=ROOT / "params.yaml").targets[target].mentions
    kept = [
        len(without_target(str(row["gpt_text"]), mentions, None)) / len(str(row["gpt_text"])) for row in narratives()
    ]
    assert sum(kept) / len(kept) > 0.4


def test_descriptions_of_the_sample_never_state_the_target_and_lose_nothing_but_chance_matches() -> None:
    targets = load_params("targets", path=ROOT / "params.yaml").targets
    with gzip.open(SAMPLE / "materials_project.jsonl.gz", "rt", encoding="utf-8") as file:
        documents = [json.loads(line) for line in file]
    for target, settings in targets.items():
        for document in documents:
            text = without_target(document["description"], settings.mentions, document[target])
            assert not any(states(number, document[target]) for number in printed_values(text))
            assert without_target(document["description"], settings.mentions, None) == document["description"]


@given(st.floats(-9, 9), st.integers(1, 4))
def test_a_number_that_prints_the_value_is_found_at_any_precision(value: float, decimals: int) -> None:
    assert speaks_of_target(f"It amounts to {value:.{decimals}f} of something.", [], value)
    assert speaks_of_target(f"It amounts to −{abs(value):.{decimals}f} of something.", [], value)


@pytest.mark.parametrize(
    ("sentence", "found"),
    [
        ("No gap opens.", True),
        ("Metallic conduction is likely.", True),
        ("The non-metal is bonded to six atoms.", True),
        ("Agape and bimetallic are other words.", False),
        ("Bond lengths are 2.03 Å.", False),
        ("Bond lengths are 1.02 Å.", True),
        ("There are 1 shorter and 2 longer bonds.", False),
        ("The group P2.02 is no number.", False),
    ],
)
def test_words_match_from_their_beginning_and_numbers_as_printed(sentence: str, found: bool) -> None:
    assert speaks_of_target(sentence, ["gap", "metal"], 1.0231) is found
