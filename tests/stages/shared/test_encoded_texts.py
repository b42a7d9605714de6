from pathlib import Path

import numpy as np
import pytest

from stages.shared.encoded_texts import encode_texts
from stages.shared.tokenizers import ByteTokenizer, TextTokenizer, build_tokenizer
from tests.stages.shared.test_tokenizers import huggingface_params, write_language_model

TEXTS = [["silver oxide.", "cubic"], [""], ["oxide of silver . cubic cubic", "", "of"]] * 200


@pytest.fixture(params=["bytes", "language model"])
def tokenizer(request: pytest.FixtureRequest, tmp_path: Path) -> TextTokenizer:
    if request.param == "bytes":
        return ByteTokenizer(max_words=5, max_bytes=4)
    return build_tokenizer(huggingface_params(write_language_model(tmp_path / "model")))


def test_the_pieces_of_any_texts_are_what_the_tokenizer_makes_of_them(tokenizer: TextTokenizer, tmp_path: Path) -> None:
    encoded = encode_texts(tmp_path / "texts.arrow", TEXTS, tokenizer)
    assert len(encoded) == len(TEXTS)
    assert encoded.n_pieces.tolist() == [len(pieces) for pieces in TEXTS]
    rows = np.random.RandomState(0).randint(len(TEXTS), size=64)
    for row, pieces in zip(rows, encoded.pieces(rows), strict=True):
        expected = [tokenizer.encode(piece) for piece in TEXTS[row]]
        assert len(pieces) == len(expected)
        for found, one in zip(pieces, expected, strict=True):
            np.testing.assert_array_equal(found, one)
            assert found.dtype == one.dtype


def test_selected_texts_keep_their_pieces_and_may_repeat(tokenizer: TextTokenizer, tmp_path: Path) -> None:
    encoded = encode_texts(tmp_path / "texts.arrow", TEXTS, tokenizer)
    chosen = encoded.select(np.array([2, 0, 2]))
    assert chosen.n_pieces.tolist() == [3, 2, 3]
    for found, place in zip(chosen.pieces(np.arange(3)), (2, 0, 2), strict=True):
        for piece, text in zip(found, TEXTS[place], strict=True):
            np.testing.assert_array_equal(piece, tokenizer.encode(text))


def test_no_texts_are_a_table_without_rows(tokenizer: TextTokenizer, tmp_path: Path) -> None:
    assert len(encode_texts(tmp_path / "texts.arrow", [], tokenizer)) == 0


def test_texts_are_encoded_once(tmp_path: Path) -> None:
    tokenizer = ByteTokenizer(5, 4)
    first = encode_texts(tmp_path / "texts.arrow", [["cubic"]], tokenizer)
    again = encode_texts(tmp_path / "texts.arrow", (pytest.fail("encoded again") for _ in range(1)), tokenizer)
    np.testing.assert_array_equal(again.pieces(np.array([0]))[0][0], first.pieces(np.array([0]))[0][0])
