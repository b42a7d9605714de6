import pytest

from stages.shared.sentences import split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("All bonds are 2.92 Å. It melts!", ["All bonds are 2.92 Å.", "It melts!"]),
        ("density of 7.42 g/cm³.The toxicity of cadmium", ["density of 7.42 g/cm³.", "The toxicity of cadmium"]),
        ("in the group P6_3mc. It is", ["in the group P6_3mc.", "It is"]),
        ("  one  ", ["one"]),
        ("", []),
    ],
)
def test_sentences_end_at_full_stops_but_not_at_decimal_points(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


def test_no_character_but_white_space_is_lost() -> None:
    text = "A is 1.5 eV.Then B (see c.f. 3)! Is it? Yes.\nEnd"
    assert "".join(split_sentences(text)).replace(" ", "") == text.replace(" ", "").replace("\n", "")
