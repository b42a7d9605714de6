import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from torch import Tensor

from models.contrastive import ContrastiveModel, InfoNCE, ProjectionHead
from models.graph.batch import CrystalBatch
from models.graph.painn.model import PaiNN
from models.text.byte_transformer import ByteTransformer
from models.text.tokens import TextTokens
from tests.models.crystals import CUTOFF, crystal, isolated_atom, supercell, triclinic
from tests.models.texts import tokenize

TEXTS = ("cubic CdAgSb", "argon", "the bond length is 2.92 Å")


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def parts() -> list[CrystalBatch]:
    return [crystal(*triclinic(1)), isolated_atom(), crystal(*triclinic(2, n_atoms=2))]


def views(n_views: int = 2) -> TextTokens:
    """Return one or two views of all texts, one after the other."""
    return tokenize([change(text) for change in (str, str.upper)[:n_views] for text in TEXTS], 16, 8)


def model(text_weight: float) -> ContrastiveModel:
    torch.manual_seed(0)
    return ContrastiveModel(
        PaiNN(8, 1, 4, CUTOFF), ByteTransformer(8, 1, 2, 16, 8, 4, 0.0), 6, 0.1, text_weight
    ).double()


def test_loss_equals_the_closed_form_for_orthogonal_pairs() -> None:
    a = torch.eye(5, dtype=torch.float64)
    loss = InfoNCE(initial_temperature=0.5).double()(a, a)
    assert loss.item() == pytest.approx(math.log(math.exp(2) + 4) - 2)


def test_loss_is_the_log_loss_of_scikit_learn_in_both_directions() -> None:
    a, b = randn(6, 4), randn(6, 4, seed=1)
    loss = InfoNCE(initial_temperature=0.2).double()
    probability = torch.softmax(5.0 * torch.cosine_similarity(a[:, None], b[None], dim=-1), dim=1)
    backward = torch.softmax(5.0 * torch.cosine_similarity(b[:, None], a[None], dim=-1), dim=1)
    expected = np.mean([log_loss(np.arange(6), p.numpy()) for p in (probability, backward)])
    assert loss(a, b).item() == pytest.approx(expected)


def test_scale_of_the_features_does_not_matter() -> None:
    a, b = randn(8, 16), randn(8, 16, seed=1)
    loss = InfoNCE().double()
    torch.testing.assert_close(loss(3.0 * a, 0.1 * b), loss(a, b))


def test_a_duplicate_that_is_masked_counts_as_if_it_were_not_there() -> None:
    a = torch.eye(4, dtype=torch.float64)
    a[1] = a[0]
    same = torch.zeros(4, 4, dtype=torch.bool)
    same[0, 1] = same[1, 0] = True
    # rows 0 and 1 see two others, rows 2 and 3 see three
    expected = (math.log(math.e + 2) + math.log(math.e + 3)) / 2 - 1
    assert InfoNCE(initial_temperature=1.0).double()(a, a, same).item() == pytest.approx(expected)


def test_a_pair_is_never_masked() -> None:
    a, b = randn(4, 8), randn(4, 8, seed=1)
    loss = InfoNCE().double()
    torch.testing.assert_close(loss(a, b, torch.eye(4, dtype=torch.bool)), loss(a, b))
    assert loss(a, b, torch.ones(4, 4, dtype=torch.bool)).item() == pytest.approx(0.0)


def test_scale_is_clamped_and_can_come_back() -> None:
    a, b = randn(4, 8), randn(4, 8, seed=1)
    loss = InfoNCE().double()
    with torch.no_grad():
        loss.logit_scale.fill_(9.0)
    loss(a, b).backward()
    assert loss.similarity(a, a).diagonal().max().item() == pytest.approx(100)
    assert loss.logit_scale.grad is not None
    assert loss.logit_scale.grad.item() > 0  # random pairs: a smaller scale would be better


@pytest.mark.parametrize("temperature", [0.0, 0.005, 2.0])
def test_temperatures_outside_the_clamp_are_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match=r"0\.01 to 1"):
        InfoNCE(temperature)


def test_projection_treats_every_row_alone() -> None:
    torch.manual_seed(0)
    head = ProjectionHead(5, 3).double()
    x = randn(4, 5)
    torch.testing.assert_close(head(x), torch.cat([head(row[None]) for row in x]))


def test_embeddings_are_unit_vectors_that_do_not_depend_on_the_batch() -> None:
    network = model(0.0)
    crystals = network.embed_crystals(CrystalBatch.concatenate(parts()))
    torch.testing.assert_close(crystals, torch.cat([network.embed_crystals(part) for part in parts()]))
    texts = network.embed_texts(views(1))
    torch.testing.assert_close(texts, torch.cat([network.embed_texts(tokenize([t], 16, 8)) for t in TEXTS]))
    for embedding in (crystals, texts):
        torch.testing.assert_close(embedding.norm(dim=1), torch.ones(3, dtype=torch.float64))


def test_loss_is_the_mean_over_views_plus_the_weighted_text_term() -> None:
    network = model(text_weight=0.3)
    batch = CrystalBatch.concatenate(parts())
    c, (t, u) = network.embed_crystals(batch), network.embed_texts(views()).split(3)
    nce = InfoNCE(0.1).double()
    expected = (nce(c, t) + nce(c, u)) / 2 + 0.3 * nce(t, u)
    torch.testing.assert_close(network(batch, views()), expected)


def test_weight_zero_leaves_the_text_term_out() -> None:
    network = model(text_weight=0.0)
    batch = CrystalBatch.concatenate(parts())
    expected = InfoNCE(0.1).double()(network.embed_crystals(batch), network.embed_texts(views(1)))
    torch.testing.assert_close(network(batch, views(1)), expected)


@pytest.mark.parametrize("text_weight", [0.0, 0.5])
def test_every_parameter_gets_a_finite_gradient(text_weight: float) -> None:
    network = model(text_weight)
    network(CrystalBatch.concatenate(parts()), views()).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize(("text_weight", "n_texts"), [(0.0, 2), (0.5, 3), (0.0, 4), (0.5, 7)])
def test_a_wrong_number_of_texts_is_refused(text_weight: float, n_texts: int) -> None:
    with pytest.raises(ValueError, match=f"{n_texts} texts of 3 crystals"):
        model(text_weight)(CrystalBatch.concatenate(parts()), tokenize(["NaCl"] * n_texts, 16, 8))


def test_training_finds_the_pairs() -> None:
    batch = CrystalBatch.concatenate([crystal(*triclinic(seed, n_atoms=2)) for seed in range(6)])
    texts = tokenize(["cubic CdAgSb", "argon", "2.92 Å", "hexagonal ZnO", "BaTiO3", "F-43m"], 16, 8)
    network = model(0.0).float()
    batch = replace(batch, frac_coords=batch.frac_coords.float(), lattice=batch.lattice.float())
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        network(batch, texts).backward()
        optimizer.step()
    similarity = network.embed_crystals(batch) @ network.embed_texts(texts).T
    assert similarity.argmax(dim=1).tolist() == list(range(6))
    assert similarity.argmax(dim=0).tolist() == list(range(6))


def test_a_supercell_has_the_embedding_of_its_cell() -> None:
    network, material = model(0.0), triclinic(1)
    cell, large = crystal(*material), crystal(*supercell(material, (2, 1, 2)))
    torch.testing.assert_close(network.embed_crystals(large), network.embed_crystals(cell))
