"""Regression from structure and text together, with either of them allowed to be missing."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.graph.batch import CrystalBatch, GraphEncoder
from models.layers import MLP, TransformerBlock, masked_mean, to_dense
from models.text.huggingface import Tokens
from models.text.tokens import TextEncoder

_ELEMENTWISE_LOSS: dict[str, Callable[..., Tensor]] = {
    "l1": F.l1_loss,
    "mse": F.mse_loss,
    "smooth_l1": F.smooth_l1_loss,
}


@dataclass(frozen=True)
class FusionPrediction:
    """Predictions of the three branches, in the units of the (normalised) targets.

    Attributes:
        fused: (B, n_targets) from both modalities, or from the one that is there.
        structure: (B, n_targets) from the structure alone; meaningless where it was dropped.
        text: (B, n_targets) from the text alone; meaningless where it was dropped or empty.
        has_structure: (B,) True where the structure was seen.
        has_text: (B,) True where a text of at least one word was seen.
    """

    fused: Tensor
    structure: Tensor
    text: Tensor
    has_structure: Tensor
    has_text: Tensor


class ConcatFusion(nn.Module):
    """Mean over atoms and mean over words side by side, then a two-layer network.

    Args:
        dim: d, features of an atom, a word and the result.
        dropout: probability inside the network.
    """

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(dim), nn.LayerNorm(dim)])
        self.mix = MLP(2 * dim, 2 * dim, dim, dropout)

    def forward(self, atoms: Tensor, atom_mask: Tensor, words: Tensor, word_mask: Tensor) -> Tensor:
        """Return fused vectors (B, d); arguments as in `CrossAttentionFusion.forward`."""
        structure = self.norms[0](masked_mean(atoms, atom_mask))
        text = self.norms[1](masked_mean(words, word_mask))
        return self.mix(torch.cat([structure, text], dim=-1))


class CrossAttentionFusion(nn.Module):
    """Atoms ask, words answer: pre-norm cross-attention with residual and feed-forward, then a mean over the atoms.

    Mends the cross-attention of MultimodalCPF, which has no residual connection (its structure reaches the result
    through attention weights only) and attends to all padding tokens.

    Args:
        dim: d, features of an atom, a word and the result.
        n_heads: attention heads.
        dropout: probability inside the block.
    """

    def __init__(self, dim: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.block = TransformerBlock(dim, n_heads, dropout, cross=True)
        self.norm = nn.LayerNorm(dim)

    def forward(self, atoms: Tensor, atom_mask: Tensor, words: Tensor, word_mask: Tensor) -> Tensor:
        """Return fused vectors (B, d).

        Args:
            atoms: (B, N, d).
            atom_mask: (B, N) True at atoms, at least one per crystal.
            words: (B, L, d).
            word_mask: (B, L) True at words, at least one per text.
        """
        fused = self.block(atoms, keys=words, key_mask=word_mask)
        return masked_mean(self.norm(fused), atom_mask)


class FusionRegressor(nn.Module):
    """One or more scalars from a crystal and its text, with a branch for each modality alone.

    A structure-text regressor in the manner of MultimodalCPF (github.com/Bi8bo001/MultimodalCPF), with these of its
    defects mended: a dropped structure loses positions and lattice too, not only its elements; dropping acts on the
    batch at hand and leaves the data as they are; the text encoder and its projection are trained with the rest and
    saved once, so that text means the same in every split; all three branches are trained; a crystal without text is
    predicted from its structure instead of being left out.

    A structure that is dropped becomes one learned atom. A text that is dropped or empty becomes one learned word.

    Args:
        graph_encoder: crystals to features.
        text_encoder: texts to features.
        fusion: "cross_attention" or "concat".
        dim: d, features of atoms and words where they meet.
        n_heads: attention heads of the cross-attention.
        dropout: probability inside fusion and heads.
        n_targets: scalars that are learned together, from the same features.

    Raises:
        ValueError: unknown fusion.
    """

    def __init__(
        self,
        graph_encoder: GraphEncoder,
        text_encoder: TextEncoder,
        fusion: str,
        dim: int,
        n_heads: int,
        dropout: float,
        n_targets: int = 1,
    ) -> None:
        super().__init__()
        if fusion not in ("cross_attention", "concat"):
            raise ValueError(f"fusion is {fusion!r}, expected 'cross_attention' or 'concat'")
        self.graph_encoder = graph_encoder
        self.text_encoder = text_encoder
        self.atom_map = nn.Linear(graph_encoder.dim, dim)
        self.word_map = nn.Linear(text_encoder.dim, dim)
        self.null_atom = nn.Parameter(0.02 * torch.randn(dim))
        self.null_word = nn.Parameter(0.02 * torch.randn(dim))
        self.fusion: nn.Module = (
            ConcatFusion(dim, dropout) if fusion == "concat" else CrossAttentionFusion(dim, n_heads, dropout)
        )
        self.fused_head = _head(dim, n_targets, dropout)
        self.structure_head = _head(dim, n_targets, dropout)
        self.text_head = _head(dim, n_targets, dropout)

    def forward(
        self,
        crystals: CrystalBatch,
        tokens: Tokens,
        keep_structure: Tensor | None = None,
        keep_text: Tensor | None = None,
    ) -> FusionPrediction:
        """Predict for B crystals with B texts.

        Args:
            crystals: B crystals.
            tokens: B texts, one may be empty; the kind of tokens that the text encoder takes.
            keep_structure: (B,) bool, False drops the structure; None keeps all.
            keep_text: (B,) bool, False drops the text; None keeps all.
        """
        atoms, atom_mask, has_structure = self._atoms(crystals, keep_structure)
        words, word_mask, has_text = self._words(tokens, keep_text)
        fused = self.fusion(atoms, atom_mask, words, word_mask)
        return FusionPrediction(
            fused=self.fused_head(fused),
            structure=self.structure_head(masked_mean(atoms, atom_mask)),
            text=self.text_head(masked_mean(words, word_mask)),
            has_structure=has_structure,
            has_text=has_text,
        )

    def _atoms(self, crystals: CrystalBatch, keep: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Atoms (B, N, d), their mask (B, N) and what is kept (B,)."""
        features = self.graph_encoder(crystals)
        nodes = self.atom_map(features.nodes)
        atoms, mask = to_dense(nodes, features.batch, crystals.n_crystals)
        if keep is None:
            keep = torch.ones(len(mask), dtype=torch.bool, device=mask.device)
        return *_replace_by_null(atoms, mask, keep, self.null_atom), keep

    def _words(self, tokens: Tokens, keep: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Words (B, L, d), their mask (B, L) and where there is any (B,)."""
        features = self.text_encoder(tokens if keep is None else tokens.only(keep))  # what is dropped costs no time
        has_text = features.mask.any(dim=1)
        words = self.word_map(features.tokens)
        return *_replace_by_null(words, features.mask, has_text, self.null_word), has_text


def _replace_by_null(sequence: Tensor, mask: Tensor, keep: Tensor, null: Tensor) -> tuple[Tensor, Tensor]:
    """Put `null` (d) alone in place of each sequence of (B, L, d) that is not kept; nothing of it is left."""
    first = torch.arange(sequence.shape[1], device=mask.device) == 0  # (L,)
    replaced = torch.where(keep[:, None, None], sequence, null)
    return replaced, torch.where(keep[:, None], mask, first)


def _head(dim: int, n_targets: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(dim), MLP(dim, dim, n_targets, dropout))


def draw_modalities(
    n: int, structure_dropout: float, text_dropout: float, generator: np.random.RandomState
) -> tuple[Tensor, Tensor]:
    """Draw which modality each of `n` crystals keeps in this batch; never drops both.

    Args:
        n: number of crystals.
        structure_dropout: probability that the structure is dropped.
        text_dropout: probability that the text is dropped.
        generator: source of the draws; one uniform number per crystal.

    Returns:
        `keep_structure`, `keep_text`, each (n,) bool.

    Raises:
        ValueError: a probability is negative or the two add up to more than 1.
    """
    if min(structure_dropout, text_dropout) < 0 or structure_dropout + text_dropout > 1:
        raise ValueError(
            f"structure_dropout = {structure_dropout} and text_dropout = {text_dropout} "
            "must not be negative nor add up to more than 1"
        )
    draw = generator.uniform(size=n)
    drop_structure = draw < structure_dropout
    drop_text = ~drop_structure & (draw < structure_dropout + text_dropout)
    return torch.from_numpy(~drop_structure), torch.from_numpy(~drop_text)


def fusion_loss(
    prediction: FusionPrediction,
    target: Tensor,
    weights: tuple[float, float, float],
    loss: str = "smooth_l1",
) -> Tensor:
    r"""Weighted mean of the losses of the three branches, a scalar.

    $$ \mathcal L = \frac{\sum_b w_b\, \bar\ell_b}{\sum_b w_b}, \qquad b \in \{\text{fused, structure, text}\} $$

    where $\bar\ell_b$ is the mean over the crystals whose modality was seen (zero if there is none), so that a branch
    is not trained to guess what it cannot see. The loss of a crystal is the sum over those targets whose value is
    known, as Crystalformer learns several (Taniai et al., ICLR 2024, arXiv:2403.11686); a rare target therefore counts
    in proportion to its values. MultimodalCPF's default weights (1, 0, 0) leave two heads untrained;
    here every weight must be positive.

    Args:
        prediction: of B crystals.
        target: (B, n_targets) in the same units, NaN where unknown.
        weights: of fused, structure and text.
        loss: "smooth_l1" (quadratic below 1), "l1" or "mse".

    Raises:
        ValueError: a weight is not positive, or the loss is unknown.
    """
    if not all(weight > 0 for weight in weights):
        raise ValueError(f"the weights of the three branches must be positive, not {weights}")
    if loss not in _ELEMENTWISE_LOSS:
        raise ValueError(f"loss is {loss!r}, expected one of {sorted(_ELEMENTWISE_LOSS)}")
    known = ~target.isnan()
    value = torch.where(known, target, 0.0)  # a NaN times zero would still be one
    everywhere = torch.ones_like(prediction.has_structure)
    branches = (
        (prediction.fused, everywhere),
        (prediction.structure, prediction.has_structure),
        (prediction.text, prediction.has_text),
    )
    total = torch.zeros_like(target[:1]).sum()
    for weight, (predicted, seen) in zip(weights, branches, strict=True):
        errors = _ELEMENTWISE_LOSS[loss](predicted, value, reduction="none") * known
        errors = errors.sum(dim=1)  # (B, n_targets) -> (B,)
        total = total + weight * (errors * seen).sum() / seen.sum().clamp_min(1)
    return total / sum(weights)
