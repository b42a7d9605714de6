"""Loss and retrieval accuracy over a whole split, in memory that grows with its size and not with the square of it."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from models.contrastive import InfoNCE

CRYSTALS_AT_A_TIME = 1024  # compared with all texts at once; bounds memory


def retrieval_scores(
    info_nce: InfoNCE,
    crystals: Tensor,
    texts: Tensor,
    same_meaning: Callable[[NDArray[np.int64]], NDArray[np.bool_]],
) -> dict[str, float]:
    """Return the loss of all pairs as one batch, and how often the nearest of the other kind is the own one.

    Args:
        info_nce: the cross-modal term.
        crystals: (n, dim) unit vectors.
        texts: (n, dim) unit vectors; row i belongs to row i of `crystals`.
        same_meaning: gives for some rows (m,) which of all crystals mean the same, (m, n), as `InfoNCE` needs it.
    """
    n = len(crystals)
    crystal_loss = crystals.new_zeros(())
    right_text = 0
    own_logit, text_norm = crystals.new_empty(n), crystals.new_full((n,), -torch.inf)  # ln sum_i exp s_ij of text j
    best, best_crystal = crystals.new_full((n,), -torch.inf), torch.zeros(n, dtype=torch.int64, device=crystals.device)
    for part in torch.arange(n, device=crystals.device).split(CRYSTALS_AT_A_TIME):
        line = torch.arange(len(part), device=part.device)
        same = torch.from_numpy(same_meaning(part.cpu().numpy())).to(part.device)
        same[line, part] = False
        logits = info_nce.similarity(crystals[part], texts).masked_fill(same, -torch.inf)  # (m, n)
        crystal_loss += F.cross_entropy(logits, part, reduction="sum")
        own_logit[part] = logits[line, part]
        text_norm = torch.logaddexp(text_norm, logits.logsumexp(dim=0))
        similarity = texts @ crystals[part].T  # (n, m)
        right_text += int((similarity.argmax(dim=0) == part).sum())
        nearest = similarity.max(dim=1)
        best_crystal = torch.where(nearest.values > best, part[nearest.indices], best_crystal)
        best = torch.maximum(best, nearest.values)
    right_crystal = int((best_crystal == torch.arange(n, device=best_crystal.device)).sum())
    return {
        "val_loss": ((crystal_loss / n + (text_norm - own_logit).mean()) / 2).item(),
        "val_text_to_crystal_top1": right_crystal / n,
        "val_crystal_to_text_top1": right_text / n,
    }
