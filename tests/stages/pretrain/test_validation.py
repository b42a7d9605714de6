import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import top_k_accuracy_score
from torch.nn import functional as F

from models.contrastive import InfoNCE
from stages.pretrain import validation
from stages.pretrain.validation import retrieval_scores

N = 23


@pytest.mark.parametrize("at_a_time", [1, 5, N, 1000])
def test_in_parts_the_loss_and_the_accuracy_are_those_of_the_whole_matrix(
    monkeypatch: pytest.MonkeyPatch, at_a_time: int
) -> None:
    monkeypatch.setattr(validation, "CRYSTALS_AT_A_TIME", at_a_time)
    torch.manual_seed(0)
    crystals = F.normalize(torch.randn(N, 6, dtype=torch.float64), dim=-1)
    texts = F.normalize(crystals + 0.4 * torch.randn(N, 6, dtype=torch.float64), dim=-1)
    group = np.arange(N) // 2
    same = group[:, None] == group[None, :]
    info_nce = InfoNCE().double()

    def same_meaning(rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        return same[rows]

    with torch.no_grad():
        found = retrieval_scores(info_nce, crystals, texts, same_meaning)
        expected = info_nce(crystals, texts, torch.from_numpy(same)).item()
    assert found["val_loss"] == pytest.approx(expected, rel=1e-12)
    own, similarity = np.arange(N), (texts @ crystals.T).numpy()
    assert found["val_text_to_crystal_top1"] == pytest.approx(top_k_accuracy_score(own, similarity, k=1))
    assert found["val_crystal_to_text_top1"] == pytest.approx(top_k_accuracy_score(own, similarity.T, k=1))
    assert 0.2 < found["val_text_to_crystal_top1"] < 1.0
