import dataclasses

import pytest
import torch

from models.graph.element_embedding import ElementEmbedding
from models.graph.elements import element_classes
from tests.models.crystals import three_crystals


def test_one_hot_is_a_linear_map_of_the_classes() -> None:
    torch.manual_seed(0)
    embedding = ElementEmbedding(5, "one_hot").double()
    batch = three_crystals()
    classes = element_classes().double()[batch.atomic_numbers]
    expected = classes @ embedding.map.weight.T + embedding.map.bias
    torch.testing.assert_close(embedding(batch), expected)


@pytest.mark.parametrize("element_features", ["learned", "one_hot"])
def test_a_mixed_site_is_the_average_of_its_elements(element_features: str) -> None:
    torch.manual_seed(0)
    embedding = ElementEmbedding(5, element_features).double()
    batch = three_crystals()
    shares = torch.zeros(len(batch.atomic_numbers), 119, dtype=torch.float64)
    shares[:, 28], shares[:, 79] = 0.25, 0.75
    nickel, gold = (embedding(dataclasses.replace(batch, atomic_numbers=torch.full((7,), z))) for z in (28, 79))
    mixed = embedding(dataclasses.replace(batch, occupancy=shares))
    torch.testing.assert_close(mixed, 0.25 * nickel + 0.75 * gold)


def test_an_element_absent_from_training_still_learns_from_its_relatives() -> None:
    torch.manual_seed(0)
    embedding = ElementEmbedding(5, "learned")
    batch = dataclasses.replace(three_crystals(), atomic_numbers=torch.full((7,), 56))
    strontium = dataclasses.replace(batch, atomic_numbers=torch.full((7,), 38))
    before = embedding(strontium).detach()
    embedding(batch).sum().backward()
    with torch.no_grad():
        for parameter in embedding.parameters():
            parameter -= 0.1 * parameter.grad
    assert (embedding(strontium) - before).abs().min() > 0


def test_at_the_start_relatives_are_near_and_the_properties_have_unit_variance() -> None:
    torch.manual_seed(0)
    embedding = ElementEmbedding(400, "learned").double()
    of_properties = embedding.map(embedding.features) - embedding.map.bias  # (119, 400)
    assert float(of_properties[1:].square().mean()) == pytest.approx(1.0, rel=0.1)
    strontium, barium, chlorine = (
        embedding(dataclasses.replace(three_crystals(), atomic_numbers=torch.full((7,), z)))[0] for z in (38, 56, 17)
    )
    assert (strontium - barium).norm() < 0.7 * (strontium - chlorine).norm()
