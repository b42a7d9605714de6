"""What the training loop needs to know of contrastive pretraining."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from models.contrastive import ContrastiveModel
from models.graph.batch import CrystalBatch
from models.text.huggingface import Tokens
from stages.pretrain.pairs import CrystalText, same_meaning
from stages.shared.graphs import collate
from stages.shared.sentences import split_sentences
from stages.shared.tokenizers import TextTokenizer

_N_VIEWS = 2


@dataclass
class PairBatch:
    """Crystals, two views of the text of each, and which of them mean the same thing, (batch, batch)."""

    crystals: CrystalBatch
    views: tuple[Tokens, ...]
    same: Tensor

    def to(self, device: torch.device | str) -> "PairBatch":
        """Return the batch on another device."""
        views = tuple(view.to(device) for view in self.views)
        return PairBatch(self.crystals.to(device), views, self.same.to(device))


class PretrainTask:
    """Batches of crystal-text pairs; every sentence is encoded once, when the task is made.

    Args:
        train: pairs to learn from.
        val: pairs to select the best epoch on; may be empty.
        tokenizer: of the text tower.
    """

    def __init__(self, train: list[CrystalText], val: list[CrystalText], tokenizer: TextTokenizer) -> None:
        self._train = train
        self._tokenizer = tokenizer
        self._sentences = [
            [[tokenizer.encode(sentence) for sentence in split_sentences(text)] for text in pair.texts]
            for pair in train
        ]
        self._val_batch = _validation_batch(val, tokenizer) if len(val) > 1 else None

    @property
    def n_train(self) -> int:
        """Number of training pairs."""
        return len(self._train)

    def batch(self, rows: np.ndarray, random: np.random.RandomState) -> PairBatch:
        """Return these pairs with two freshly drawn views of each text."""
        pairs = [self._train[row] for row in rows]
        views = tuple(self._tokenizer.stack([self._draw_view(row, random) for row in rows]) for _ in range(_N_VIEWS))
        same = torch.from_numpy(same_meaning(pairs))
        return PairBatch(collate([pair.graph for pair in pairs]), views, same)

    def loss(self, model: nn.Module, batch: PairBatch) -> Tensor:
        """Return the contrastive loss of a batch."""
        loss: Tensor = model(batch.crystals, batch.views, batch.same)
        return loss

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return the cross-modal loss and the retrieval accuracy over the whole validation split, on full texts."""
        if self._val_batch is None or not isinstance(model, ContrastiveModel):
            return {}
        batch = self._val_batch.to(next(model.parameters()).device)
        crystals, texts = model.embed_crystals(batch.crystals), model.embed_texts(batch.views[0])
        similarity = texts @ crystals.T  # (n_val, n_val)
        own = torch.arange(len(similarity), device=similarity.device)
        return {
            "val_loss": model.cross_modal(crystals, texts, batch.same).item(),
            "val_text_to_crystal_top1": (similarity.argmax(dim=1) == own).double().mean().item(),
            "val_crystal_to_text_top1": (similarity.argmax(dim=0) == own).double().mean().item(),
            "logit_scale": model.cross_modal.logit_scale.item(),
        }

    def _draw_view(self, row: int, random: np.random.RandomState) -> np.ndarray:
        """Draw one text of a crystal and some of its sentences in random order, from a single one to all.

        Every number of sentences is equally likely: short views teach single statements, as questions put them, and
        long ones whole texts, as a search puts them.
        """
        texts = self._sentences[row]
        sentences = texts[random.randint(len(texts))]
        n_kept = 1 + random.randint(len(sentences))
        chosen = random.permutation(len(sentences))[:n_kept]
        return self._tokenizer.join([sentences[i] for i in chosen])


def _validation_batch(pairs: list[CrystalText], tokenizer: TextTokenizer) -> PairBatch:
    """Return all pairs as one batch with the first text of each, uncut."""
    texts = tokenizer.stack([tokenizer.encode(pair.texts[0]) for pair in pairs])
    return PairBatch(collate([pair.graph for pair in pairs]), (texts,), torch.from_numpy(same_meaning(pairs)))
