"""What the training loop needs to know of structure-text regression."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from models.fusion import FusionPrediction, FusionRegressor, draw_modalities, fusion_loss
from models.graph.batch import CrystalBatch
from models.text.huggingface import Tokens
from stages.fusion.dataset import LabelledCrystals
from stages.fusion.normalization import TargetNormalization
from stages.shared.params import FusionParams
from stages.shared.parts import row_parts
from stages.shared.tokenizers import TextTokenizer

_PREDICTION_BATCH = 64  # crystals predicted at a time; bounds memory, changes nothing else


@dataclass
class FusionBatch:
    """Crystals, texts, normalised targets (batch, n_targets) with NaN where unknown, and the modalities to look at.

    `keep_structure` and `keep_text` are (batch,) bool.
    """

    crystals: CrystalBatch
    tokens: Tokens
    target: Tensor
    keep_structure: Tensor
    keep_text: Tensor

    def to(self, device: torch.device | str) -> "FusionBatch":
        """Return the batch on another device."""
        return FusionBatch(
            self.crystals.to(device),
            self.tokens.to(device),
            self.target.to(device),
            self.keep_structure.to(device),
            self.keep_text.to(device),
        )


class FusionTask:
    """Batches of labelled crystals with targets normalised by the train split.

    Args:
        examples: crystals of all splits; at least one is in train. All predictions are of their first target.
        params: the `fusion` section.
        tokenizer: of the text tower.
    """

    def __init__(self, examples: LabelledCrystals, params: FusionParams, tokenizer: TextTokenizer) -> None:
        self.params = params
        self._tokenizer = tokenizer
        self._train, self._val = examples.of_split("train"), examples.of_split("val")
        self.normalization = TargetNormalization.fit(self._train.values, params.target_normalization)

    @property
    def n_train(self) -> int:
        """Number of training crystals."""
        return len(self._train)

    def batch(self, rows: np.ndarray, random: np.random.RandomState) -> FusionBatch:
        """Return these crystals, some with a modality hidden."""
        structure_dropout, text_dropout = self.params.structure_dropout, self.params.text_dropout
        keep_structure, keep_text = draw_modalities(len(rows), structure_dropout, text_dropout, random)
        batch = self._assemble(self._train, rows)
        return replace(batch, keep_structure=keep_structure, keep_text=keep_text)

    def loss(self, model: nn.Module, batch: FusionBatch) -> Tensor:
        """Return the joint loss of the three branches on the normalised targets."""
        prediction: FusionPrediction = model(batch.crystals, batch.tokens, batch.keep_structure, batch.keep_text)
        weights = (self.params.fused_weight, self.params.structure_weight, self.params.text_weight)
        return fusion_loss(prediction, batch.target, weights, self.params.loss)

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return the mean absolute errors on the validation split in the target's unit; the fused one selects."""
        if not len(self._val) or not isinstance(model, FusionRegressor):
            return {}
        predicted = self.predict(model, self._val)
        true = self._val.values[:, 0]
        errors = {branch: float(np.abs(values - true).mean()) for branch, values in predicted.items()}
        return {
            "val_loss": errors["fused"],
            "val_structure_mae": errors["structure"],
            "val_text_mae": errors["text"],
        }

    @torch.no_grad()
    def predict(self, model: FusionRegressor, examples: LabelledCrystals) -> dict[str, np.ndarray]:
        """Return what `fused`, `structure` and `text` predict, each (n_examples,) in the target's unit."""
        device = next(model.parameters()).device
        mean, scale = self.normalization.mean[0], self.normalization.scale[0]
        rows: list[np.ndarray] = []
        for chosen in row_parts(len(examples), _PREDICTION_BATCH):
            batch = self._assemble(examples, chosen).to(device)
            prediction = model(batch.crystals, batch.tokens, batch.keep_structure, batch.keep_text)
            stacked = torch.stack([prediction.fused, prediction.structure, prediction.text])  # (3, batch, n_targets)
            rows.append(stacked[:, :, 0].double().cpu().numpy() * scale + mean)
        columns = np.concatenate([np.zeros((3, 0)), *rows], axis=1)
        return dict(zip(("fused", "structure", "text"), columns, strict=True))

    def _assemble(self, examples: LabelledCrystals, rows: np.ndarray) -> FusionBatch:
        everything = torch.ones(len(rows), dtype=torch.bool)
        return FusionBatch(
            examples.graphs.batch(rows),
            self._tokenizer.stack([text for (text,) in examples.texts.pieces(rows)]),
            torch.from_numpy(self.normalization.apply(examples.values[rows])).float(),
            everything,
            everything,
        )
