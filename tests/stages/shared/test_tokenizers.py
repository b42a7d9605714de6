from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from stages.shared.encoders import build_text_encoder
from stages.shared.errors import StageError
from stages.shared.params import TextEncoderParams, load_params
from stages.shared.tokenizers import ByteTokenizer, build_tokenizer, join
from tests.pipeline.imports import ROOT

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "cubic", "oxide", "of", "silver", "."]


def write_language_model(folder: Path) -> Path:
    """Write a tiny BERT with random weights and a word tokenizer, as a hub model lies on disk."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=12, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    BertModel(config).save_pretrained(folder)
    tokenizer = Tokenizer(WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))  # noqa: S106
    tokenizer.pre_tokenizer = Whitespace()
    special = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    return folder


def huggingface_params(model: Path | str) -> TextEncoderParams:
    params = load_params("text_encoder", path=ROOT / "params.yaml").text_encoder
    return params.model_copy(update={"name": "huggingface", "model": str(model), "dim": 8, "max_words": 5})


def test_pieces_joined_are_the_text_of_the_pieces() -> None:
    tokenizer = ByteTokenizer(max_words=6, max_bytes=4)
    pieces = [tokenizer.encode(text) for text in ("An oxide of silver.", "It is cubic.")]
    np.testing.assert_array_equal(join(pieces, 6), tokenizer.encode("An oxide of silver. It is cubic."))


def test_a_language_model_gets_its_special_tokens_and_no_more_words_than_asked(tmp_path: Path) -> None:
    tokenizer = build_tokenizer(huggingface_params(write_language_model(tmp_path)))
    long = join([tokenizer.encode("cubic oxide of"), tokenizer.encode("silver . cubic cubic")], tokenizer.max_words)
    batch = tokenizer.stack([tokenizer.encode("silver oxide"), long, tokenizer.encode("")])
    assert batch.input_ids.tolist() == [[2, 7, 5, 3, 0, 0, 0], [2, 4, 5, 6, 7, 8, 3], [0] * 7]  # type: ignore[union-attr]
    assert batch.mask.sum(dim=1).tolist() == [4, 7, 0]


def test_the_tower_is_the_language_model_with_a_mean_over_its_tokens(tmp_path: Path) -> None:
    params = huggingface_params(write_language_model(tmp_path))
    tower, tokenizer = build_text_encoder(params).eval(), build_tokenizer(params)
    features = tower(tokenizer.stack([tokenizer.encode("silver oxide"), tokenizer.encode("")]))
    states = BertModel.from_pretrained(tmp_path)(torch.tensor([[2, 7, 5, 3]])).last_hidden_state
    mean = tower.output(states).mean(dim=1)[0]  # type: ignore[operator, union-attr]
    torch.testing.assert_close(features.pooled[0], mean)
    np.testing.assert_array_equal(features.pooled[1].detach(), 0.0)


@pytest.mark.parametrize("build", [build_tokenizer, build_text_encoder])
def test_a_model_out_of_reach_is_one_sentence(tmp_path: Path, build: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(StageError, match=r"text_encoder\.model '.*nowhere' cannot be loaded") as error:
        build(huggingface_params(tmp_path / "nowhere"))  # type: ignore[operator]
    assert "\n" not in str(error.value)


def test_weights_that_would_have_to_be_unpickled_are_refused(tmp_path: Path) -> None:
    folder = write_language_model(tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(StageError, match="safetensors"):
        build_text_encoder(huggingface_params(folder))
