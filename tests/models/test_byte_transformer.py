import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from models.text import byte_transformer
from models.text.byte_transformer import ByteTransformer, ByteWordEmbedding, sinusoidal_positions
from models.text.tokens import TextTokens
from tests.models.texts import tokenize

TEXTS = [
    "CdAgSb is half-Heusler structured and crystallizes in the cubic F-43m space group.",
    "The Cd-Ag bond lengths are 2.92 Å.",
    "",
    "There are three inequivalent O sites: in the first, O(1) is bonded to two Ti(1) and four Ba(1) atoms.",
]


@pytest.fixture
def encoder() -> ByteTransformer:
    torch.manual_seed(0)
    encoder = ByteTransformer(dim=16, n_layers=2, n_heads=4, max_words=64, max_bytes=8, byte_dim=6, dropout=0.1)
    return encoder.double().eval()


def pooled(encoder: ByteTransformer, *texts: str) -> Tensor:
    return encoder(tokenize(texts, 64, 8)).pooled


def assert_same(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("texts_per_part", "words_per_part"), [(1, 100), (2, 3), (100, 1)])
def test_what_else_is_in_the_batch_changes_nothing(
    encoder: ByteTransformer, texts_per_part: int, words_per_part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(byte_transformer, "_TEXTS_PER_PART", texts_per_part)
    monkeypatch.setattr(byte_transformer, "_WORDS_PER_PART", words_per_part)
    together = encoder(tokenize(TEXTS, 64, 8))
    assert_same(together.pooled, torch.cat([pooled(encoder, text) for text in TEXTS]))
    for row, text in enumerate(TEXTS):
        alone = encoder(tokenize([text], 64, 8))
        n_words = int(alone.mask.sum())
        assert_same(together.tokens[row, :n_words], alone.tokens[0, :n_words])


def test_padding_changes_nothing(encoder: ByteTransformer) -> None:
    tokens = tokenize(["NaCl is salt", "ice"], 64, max_bytes=5)
    padded = TextTokens(F.pad(tokens.bytes, (0, 3, 0, 7)), F.pad(tokens.mask, (0, 7)))
    assert_same(encoder(padded).pooled, encoder(tokens).pooled)


def test_pooled_is_the_mean_over_real_words(encoder: ByteTransformer) -> None:
    features = encoder(tokenize(TEXTS, 64, 8))
    for row in (0, 1, 3):
        assert_same(features.pooled[row], features.tokens[row][features.mask[row]].mean(dim=0))


def test_the_order_of_words_matters(encoder: ByteTransformer) -> None:
    difference = pooled(encoder, "A is bonded to B") - pooled(encoder, "B is bonded to A")
    assert difference.abs().max() > 1e-4


@pytest.mark.parametrize(
    ("one", "other"), [("2.92", "2.93"), ("12", "21"), ("Co", "CO"), ("Ti", "Si"), ("2.92 Å", "2.92 A"), ("aa", "aaa")]
)
def test_texts_that_differ_in_one_character_differ(encoder: ByteTransformer, one: str, other: str) -> None:
    assert (pooled(encoder, one) - pooled(encoder, other)).abs().max() > 1e-4


def test_an_empty_text_is_zero_and_has_finite_gradients(encoder: ByteTransformer) -> None:
    features = encoder(tokenize(["", "NaCl"], 64, 8))
    assert (features.pooled[0] == 0).all()
    assert (encoder(tokenize([""], 64, 8)).pooled == 0).all()
    features.pooled.sum().backward()
    gradients = [p.grad for p in encoder.parameters() if p.grad is not None]
    assert len(gradients) == len(list(encoder.parameters()))
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_any_unicode_text_can_be_read(encoder: ByteTransformer) -> None:
    assert pooled(encoder, "α-Al₂O₃ Å 水 \x00 🧂").isfinite().all()


def test_texts_larger_than_the_encoder_are_refused(encoder: ByteTransformer) -> None:
    with pytest.raises(ValueError, match="at most 64 words of 8 bytes"):
        encoder(tokenize(["a " * 65], 100, 8))
    with pytest.raises(ValueError, match="at most 64 words of 8 bytes"):
        encoder(tokenize(["a"], 10, 9))


def test_a_word_vector_is_the_maximum_over_its_windows() -> None:
    torch.manual_seed(0)
    embedding = ByteWordEmbedding(dim=5, max_bytes=8, byte_dim=3, widths=(2, 3)).double()
    word = torch.tensor([[72, 98, 99, 0, 0]])
    letters = embedding.byte_table.weight[word[0, :3]] + embedding.byte_position[:3]  # (3, byte_dim)
    maxima = []
    for width, convolution in zip((2, 3), embedding.convolutions, strict=True):
        kernel, bias = convolution.get_parameter("weight"), convolution.get_parameter("bias")
        edge = torch.zeros(width - 1, 3, dtype=torch.float64)
        extended = torch.cat([edge, letters, edge])
        windows = [extended[p : p + width] for p in range(len(extended) - width + 1)]
        responses = [kernel @ w.flatten() + bias for w in windows]
        maxima.append(torch.stack(responses).max(dim=0).values)
    expected = embedding.output(F.gelu(torch.cat(maxima)))
    torch.testing.assert_close(embedding(word)[0], expected)


def test_positions_are_the_sinusoids_of_the_paper() -> None:
    table = sinusoidal_positions(7, 6)
    for p in range(7):
        for i in range(3):
            angle = p / 10000 ** (2 * i / 6)
            assert table[p, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert table[p, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)


def test_an_odd_dimension_is_refused() -> None:
    with pytest.raises(ValueError, match="even"):
        sinusoidal_positions(4, 5)
