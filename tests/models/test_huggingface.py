import pytest
import torch
from torch.nn import functional as F
from transformers import BertConfig, BertModel

from models.text.huggingface import HuggingFaceEncoder, HuggingFaceTokens


@pytest.fixture(scope="module")
def encoder() -> HuggingFaceEncoder:
    torch.manual_seed(0)
    config = BertConfig(vocab_size=50, hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=24)
    return HuggingFaceEncoder(BertModel(config), dim=7).double().eval()


@pytest.fixture
def tokens() -> HuggingFaceTokens:
    input_ids = torch.randint(1, 50, (2, 6), generator=torch.Generator().manual_seed(1))
    attention_mask = torch.tensor([[1] * 6, [1, 1, 1, 0, 0, 0]])
    return HuggingFaceTokens(input_ids * attention_mask, attention_mask)


def test_pooled_is_the_mean_of_the_mapped_last_hidden_state(
    encoder: HuggingFaceEncoder, tokens: HuggingFaceTokens
) -> None:
    features = encoder(tokens)
    assert features.tokens.shape == (2, 6, encoder.dim)
    assert torch.equal(features.mask, tokens.attention_mask == 1)
    states = encoder.model(tokens.input_ids[1:, :3]).last_hidden_state  # the second text without its padding
    torch.testing.assert_close(features.pooled[1], encoder.output(states.mean(dim=1))[0])


def test_padding_changes_nothing(encoder: HuggingFaceEncoder, tokens: HuggingFaceTokens) -> None:
    padded = HuggingFaceTokens(F.pad(tokens.input_ids, (0, 4), value=3), F.pad(tokens.attention_mask, (0, 4)))
    torch.testing.assert_close(encoder(padded).pooled, encoder(tokens).pooled, rtol=1e-10, atol=1e-12)
