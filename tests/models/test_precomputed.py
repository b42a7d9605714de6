import dataclasses

import pytest
import torch

from models.graph.batch import CrystalBatch
from models.graph.precomputed.model import Precomputed
from tests.models.crystals import crystal, three_crystals, triclinic

EMBEDDING_DIM = 10


def with_embedding(batch: CrystalBatch, seed: int = 0) -> CrystalBatch:
    generator = torch.Generator().manual_seed(seed)
    embedding = torch.randn(batch.n_crystals, EMBEDDING_DIM, generator=generator, dtype=torch.float64)
    return dataclasses.replace(batch, embedding=embedding)


def make_encoder(pooling: str = "mean") -> Precomputed:
    torch.manual_seed(0)
    return Precomputed(EMBEDDING_DIM, dim=16, pooling=pooling).double()


def test_pooled_features_are_the_mean_or_the_sum_of_the_atoms() -> None:
    batch = with_embedding(three_crystals())
    for pooling, reduce in (("mean", torch.mean), ("sum", torch.sum)):
        features = make_encoder(pooling)(batch)
        for place in range(batch.n_crystals):
            torch.testing.assert_close(features.pooled[place], reduce(features.nodes[batch.batch == place], dim=0))


def test_atoms_of_a_crystal_differ_by_their_elements_alone() -> None:
    elements, frac_coords, lattice = triclinic(1)
    encoder = make_encoder()
    like, unlike = (
        encoder(with_embedding(crystal([*elements[:3], last], frac_coords, lattice))).nodes
        for last in (elements[0], elements[0] + 1)
    )
    assert torch.equal(like[3], like[0])
    assert not torch.allclose(unlike[3], unlike[0])


def test_crystals_of_the_same_elements_differ_by_their_embeddings() -> None:
    batch = three_crystals()
    encoder = make_encoder()
    one, other = (encoder(with_embedding(batch, seed)).pooled for seed in (0, 1))
    assert ((one - other).abs().amax(dim=1) > 1e-3).all()


def test_the_scale_and_the_offset_of_the_embeddings_do_not_matter() -> None:
    batch = with_embedding(three_crystals())
    moved = dataclasses.replace(batch, embedding=1000.0 * batch.embedding + 7.0)
    encoder = make_encoder()
    torch.testing.assert_close(encoder(moved).nodes, encoder(batch).nodes, rtol=1e-4, atol=1e-5)


def test_a_crystal_has_the_same_features_alone_and_in_a_batch() -> None:
    parts = [with_embedding(crystal(*triclinic(seed)), seed) for seed in (1, 2, 3)]
    encoder = make_encoder()
    together = encoder(CrystalBatch.concatenate(parts)).pooled
    torch.testing.assert_close(together, torch.cat([encoder(part).pooled for part in parts]))


def test_a_mixed_site_is_the_average_of_its_elements() -> None:
    elements, frac_coords, lattice = triclinic(1, n_atoms=2)
    encoder = make_encoder()
    pure = [with_embedding(crystal([elements[0], z], frac_coords, lattice)) for z in (26, 28)]
    shares = 0.25 * pure[0].element_shares() + 0.75 * pure[1].element_shares()
    mixed = encoder(dataclasses.replace(pure[0], occupancy=shares)).nodes
    torch.testing.assert_close(mixed, 0.25 * encoder(pure[0]).nodes + 0.75 * encoder(pure[1]).nodes)


def test_every_parameter_learns_from_finite_gradients() -> None:
    encoder = make_encoder()
    encoder(with_embedding(three_crystals())).pooled.square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_a_batch_without_embeddings_is_refused() -> None:
    with pytest.raises(ValueError, match="no embedding"):
        make_encoder()(three_crystals())


def test_an_unknown_pooling_is_refused() -> None:
    with pytest.raises(ValueError, match="'max'"):
        Precomputed(EMBEDDING_DIM, dim=8, pooling="max")
