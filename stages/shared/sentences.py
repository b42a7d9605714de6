"""Text as sentences, for views that drop some and for regression that may not read some."""

import re

# A sentence ends at . ! or ? before white space; where two texts were glued together without a space, before a capital
# that starts a word ("...g/cm³.The toxicity").
_BOUNDARY = re.compile(r"(?<=[.!?])\s+|(?<=[a-zA-Z0-9)³][.!?])(?=[A-Z][a-z])")


def split_sentences(text: str) -> list[str]:
    """Return the sentences of a text in their order, without surrounding white space; decimal points do not count."""
    return [sentence.strip() for sentence in _BOUNDARY.split(text) if sentence.strip()]
