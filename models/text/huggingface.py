"""A Hugging Face encoder behind the same interface as the byte transformer."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from models.layers import masked_mean
from models.text.tokens import TextEncoder, TextFeatures, TextTokens

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass
class HuggingFaceTokens:
    """Texts as a Hugging Face tokenizer cuts them.

    Attributes:
        input_ids: (B, L) int64.
        attention_mask: (B, L) int64, 1 at real tokens, 0 at padding.
    """

    input_ids: Tensor
    attention_mask: Tensor

    @property
    def mask(self) -> Tensor:
        """(B, L) True at real tokens."""
        return self.attention_mask.bool()

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "HuggingFaceTokens":
        """Return the tokens on another device."""
        return HuggingFaceTokens(
            self.input_ids.to(device, non_blocking=non_blocking),
            self.attention_mask.to(device, non_blocking=non_blocking),
        )

    def only(self, keep: Tensor) -> "HuggingFaceTokens":
        """Return the texts with those empty that are not kept, (B,) bool."""
        return HuggingFaceTokens(self.input_ids, self.attention_mask * keep[:, None])


Tokens = TextTokens | HuggingFaceTokens
"""What a text tower takes: each kind of tower its own kind of tokens."""


class HuggingFaceEncoder(TextEncoder):
    """The last hidden state of a pretrained encoder, mapped to `dim`, with a mean over the real tokens.

    The mean replaces the [CLS] state, which an encoder trained by masked language modelling alone (MatSciBERT,
    SciBERT) has no reason to fill. The linear map is trained with the rest of the model and saved with it.

    Args:
        model: an encoder such as `BertModel`; its weights are trained unless the caller freezes them.
        dim: d, features of a token and of a text.
    """

    def __init__(self, model: "PreTrainedModel", dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.model = model
        self.output = nn.Linear(model.config.hidden_size, dim)

    def forward(self, tokens: HuggingFaceTokens) -> TextFeatures:
        """Encode a batch of texts."""
        encoded = self.model(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask)
        states = self.output(encoded.last_hidden_state)  # (B, L, d)
        return TextFeatures(states, tokens.mask, masked_mean(states, tokens.mask))
