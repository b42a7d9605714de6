import re
import time

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.text.tokens import N_BYTES, distinct_words, encode_text
from tests.models.texts import tokenize


def words_of(rows: np.ndarray) -> list[str]:
    return [bytes((row[row > 0] - 1).astype(np.uint8)).decode("utf-8", "replace") for row in rows]


def test_a_sentence_is_cut_into_letters_numbers_and_signs() -> None:
    rows = encode_text("Ag(1)-Sb is 2.9215 Å in CdAgSb.", max_words=50, max_bytes=12)
    assert words_of(rows) == ["Ag", "(", "1", ")", "-", "Sb", "is", "2", ".", "921", "5", "Å", "in", "CdAgSb", "."]


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 9))
def test_nothing_but_white_space_is_lost(text: str, max_bytes: int) -> None:
    rows = encode_text(text, max_words=10_000, max_bytes=max_bytes)
    kept = bytes((rows[rows > 0] - 1).astype(np.uint8))
    assert kept == re.sub(r"\s", "", text).encode()


@given(st.text(), st.integers(1, 9))
def test_every_row_starts_with_a_byte_and_has_no_gap(text: str, max_bytes: int) -> None:
    rows = encode_text(text, max_words=10_000, max_bytes=max_bytes) > 0
    assert (np.sort(rows, axis=1)[:, ::-1] == rows).all()
    assert rows.any(axis=1).all()


@given(st.text(), st.integers(1, 20))
def test_truncation_keeps_the_beginning(text: str, max_words: int) -> None:
    rows = encode_text(text, max_words, max_bytes=3)
    np.testing.assert_array_equal(rows, encode_text(text, 10_000, max_bytes=3)[:max_words])


def test_a_long_word_goes_on_in_the_next_row() -> None:
    assert words_of(encode_text("centrosymmetric cubic", 9, max_bytes=6)) == ["centro", "symmet", "ric", "cubic"]


def test_a_batch_is_padded_to_its_longest_text() -> None:
    tokens = tokenize(["NaCl is salt", "", "Å"], max_words=8, max_bytes=6)
    assert tokens.bytes.shape == (3, 3, 6)
    assert tokens.bytes.dtype == torch.int64
    assert tokens.mask.tolist() == [[True] * 3, [False] * 3, [True, False, False]]
    assert (tokens.bytes[~tokens.mask] == 0).all()
    assert (tokens.bytes[2, 0, :3] == torch.tensor([0xC3 + 1, 0x85 + 1, 0])).all()


def test_empty_texts_alone_make_a_batch() -> None:
    tokens = tokenize(["", " \n"], max_words=8, max_bytes=6)
    assert tokens.bytes.shape == (2, 1, 6)
    assert not tokens.mask.any()


def test_a_thousand_pages_take_less_than_a_second() -> None:
    text = "Ba(1) is bonded to twelve O(1) atoms; all bond lengths are 2.84 Å. " * 15  # 1000 characters
    start = time.process_time()
    tokenize([text] * 1000, max_words=512, max_bytes=12)
    assert time.process_time() - start < 1.0


@given(st.integers(1, 20), st.integers(1, 30), st.integers(2, N_BYTES), st.integers(0, 2**32 - 1))
def test_distinct_words_are_those_of_torch(n_bytes: int, n_words: int, n_values: int, seed: int) -> None:
    random = np.random.RandomState(seed)
    words = torch.from_numpy(random.randint(0, n_values, size=(n_words, n_bytes)))
    words = words[random.randint(0, n_words, size=2 * n_words)]  # so that some come again
    distinct, place = distinct_words(words)
    expected, expected_place = torch.unique(words, dim=0, return_inverse=True)
    assert torch.equal(distinct, expected)
    assert torch.equal(place, expected_place)
    assert torch.equal(distinct[place], words)
