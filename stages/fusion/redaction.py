"""Texts that do not state what is to be predicted.

A narrative lists the properties of its crystal, so a model that reads it could read the answer off. Here every
sentence that speaks of the target goes: those that hold one of the target's words (`targets.<target>.mentions` in
params.yaml), and those that hold a number equal to the target's value as printed, however it is worded.
"""

import re
from collections.abc import Sequence

from stages.shared.sentences import split_sentences

_NUMBER = re.compile(r"(?<![\w.])[-−]?\d+(?:\.(\d+))?(?![\w])")


def without_target(text: str, mentions: Sequence[str], value: float | None) -> str:
    """Return the text without the sentences that speak of the target.

    Args:
        text: any text.
        mentions: words or beginnings of words that betray the target, matched without regard to case.
        value: the crystal's own value of the target, in the unit the text would use; None where unknown.
    """
    return " ".join(sentence for sentence in split_sentences(text) if not speaks_of_target(sentence, mentions, value))


def speaks_of_target(sentence: str, mentions: Sequence[str], value: float | None) -> bool:
    """Tell whether a sentence holds a word of the target or a decimal number that equals its value as printed."""
    lowered = sentence.lower()
    if any(re.search(rf"\b{re.escape(mention.lower())}", lowered) for mention in mentions):
        return True
    return value is not None and any(_prints(match, value) for match in _NUMBER.finditer(sentence))


def _prints(match: re.Match[str], value: float) -> bool:
    """Tell whether a decimal number is `value` (or its magnitude) rounded to as many decimals as the number has.

    Whole numbers are left alone: they count atoms and neighbours, and state a value only beside a word that is caught.
    """
    if match[1] is None:
        return False
    number = float(match[0].replace("−", "-"))
    half_digit = 0.5 * 10.0 ** -len(match[1])
    return abs(abs(number) - abs(value)) <= half_digit * (1 + 1e-9)
