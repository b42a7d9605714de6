"""What the training loop needs to know of contrastive pretraining."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.contrastive import ContrastiveModel
from models.graph.batch import CrystalBatch
from models.text.huggingface import Tokens
from stages.pretrain.pairs import CrystalTexts
from stages.pretrain.validation import retrieval_scores
from stages.shared.parts import row_parts
from stages.shared.tokenizers import TextTokenizer, join

_N_VIEWS = 2
_VALIDATION_BATCH = 128  # crystals embedded at a time; bounds memory, changes nothing else


@dataclass
class PairBatch:
    """Crystals and their texts.

    Attributes:
        crystals: the structures.
        texts: (views · batch) one view of all crystals after the other.
        same: (batch, batch) which of the crystals mean the same thing.
    """

    crystals: CrystalBatch
    texts: Tokens
    same: Tensor

    def to(self, device: torch.device | str) -> "PairBatch":
        """Return the batch on another device."""
        return PairBatch(self.crystals.to(device), self.texts.to(device), self.same.to(device))


class PretrainTask:
    """Batches of crystal-text pairs.

    Args:
        train: pairs to learn from, their texts in sentences.
        val: pairs to select the best epoch on, their texts whole; may be empty.
        tokenizer: of the text tower.
    """

    def __init__(self, train: CrystalTexts, val: CrystalTexts, tokenizer: TextTokenizer) -> None:
        self._train = train
        self._val = val
        self._tokenizer = tokenizer

    @property
    def n_train(self) -> int:
        """Number of training pairs."""
        return len(self._train)

    def batch(self, rows: np.ndarray, random: np.random.RandomState) -> PairBatch:
        """Return these pairs with two freshly drawn views of each text."""
        views = [view for _ in range(_N_VIEWS) for view in self._draw_views(rows, random)]
        same = torch.from_numpy(self._train.same_meaning(rows, rows))
        return PairBatch(self._train.graphs.batch(rows), self._tokenizer.stack(views), same)

    def loss(self, model: nn.Module, batch: PairBatch) -> Tensor:
        """Return the contrastive loss of a batch."""
        loss: Tensor = model(batch.crystals, batch.texts, batch.same)
        return loss

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return the cross-modal loss and the retrieval accuracy over the whole validation split, on full texts."""
        if len(self._val) < 2 or not isinstance(model, ContrastiveModel):
            return {}
        crystals, texts = self._embed_validation(model)
        everything = np.arange(len(self._val))
        same_meaning = partial(self._val.same_meaning, others=everything)
        scores = retrieval_scores(model.cross_modal, crystals, texts, same_meaning)
        return {**scores, "logit_scale": model.cross_modal.logit_scale.item()}

    def _embed_validation(self, model: ContrastiveModel) -> tuple[Tensor, Tensor]:
        """Return the crystals of the validation split and the first text of each, uncut, (n_val, dim) each."""
        device = next(model.parameters()).device
        crystals, texts = [], []
        for rows in row_parts(len(self._val), _VALIDATION_BATCH):
            whole = [text for (text,) in self._val.texts.pieces(self._val.first_text[rows])]
            crystals.append(model.embed_crystals(self._val.graphs.batch(rows).to(device)))
            texts.append(model.embed_texts(self._tokenizer.stack(whole).to(device)))
        return torch.cat(crystals), torch.cat(texts)

    def _draw_views(self, rows: np.ndarray, random: np.random.RandomState) -> Iterator[NDArray[Any]]:
        """Draw for each crystal one text and some of its sentences in random order, from a single one to all.

        Every number of sentences is equally likely: short views teach single statements, as questions put them, and
        long ones whole texts, as a search puts them.
        """
        train = self._train
        texts, chosen = [], []
        for row in rows:
            text = train.first_text[row] + random.randint(train.first_text[row + 1] - train.first_text[row])
            n_sentences = train.texts.n_pieces[text]
            n_kept = 1 + random.randint(n_sentences)
            texts.append(text)
            chosen.append(random.permutation(n_sentences)[:n_kept])
        sentences = zip(train.texts.pieces(np.array(texts)), chosen, strict=True)
        for own, places in sentences:
            yield join([own[place] for place in places], self._tokenizer.max_words)
