"""Attention maps against what happens when an atom is hidden from the energies."""

import pytest
import torch
from torch import Tensor

from models.dos.attention_maps import attention_maps, occlusion, sum_by_element
from models.dos.transformer import DosTransformer, EncodedCrystals
from models.graph.batch import CrystalBatch
from models.graph.painn.model import PaiNN
from tests.models.crystals import CUTOFF, crystal, isolated_atom, three_crystals, triclinic

N_BINS, N_LAYERS = 11, 2
SYSTEM = torch.tensor([3])


def transformer(attention: str = "projected", n_heads: int = 3) -> DosTransformer:
    torch.manual_seed(0)
    encoder = PaiNN(8, 2, 4, CUTOFF)
    model = DosTransformer(encoder, N_BINS, 12, N_LAYERS, n_heads, dropout=0.1, attention=attention)
    return model.double().eval()


def two_elements() -> CrystalBatch:
    _, frac_coords, lattice = triclinic(1)
    return crystal([8, 22, 8, 22], frac_coords, lattice)


@pytest.mark.parametrize("attention", ["projected", "plain"])
def test_rows_sum_to_one_over_the_atoms(attention: str) -> None:
    maps = attention_maps(transformer(attention), two_elements(), SYSTEM)
    for weights in (maps.gather, maps.refine):
        assert weights.shape == (N_LAYERS, N_BINS, 4)
        assert (weights > 0).all()
        torch.testing.assert_close(weights.sum(dim=-1), torch.ones(N_LAYERS, N_BINS, dtype=torch.float64))
    assert maps.elsewhere.max() < 1e-12


def test_the_published_electron_model_may_look_at_its_extra_node() -> None:
    torch.manual_seed(0)
    model = DosTransformer.published("electron", N_BINS, 12, n_graph_layers=1, n_layers=N_LAYERS).double().eval()
    maps = attention_maps(model, two_elements(), SYSTEM)
    assert maps.gather.shape == (N_LAYERS, N_BINS, 4)
    torch.testing.assert_close(maps.refine.sum(dim=-1), torch.ones(N_LAYERS, N_BINS, dtype=torch.float64))
    assert (maps.elsewhere > 0.01).all()


@pytest.mark.parametrize("attention", ["projected", "plain"])
def test_a_block_without_an_atom_changes_as_its_weight_says(attention: str) -> None:
    """Without atom a, attention is (o - w_a v_a) / (1 - w_a); the weights come from the map, o and v from the block."""
    model, batch = transformer(attention, n_heads=1), two_elements()
    encoded, weights = model.encode(batch), attention_maps(model, batch, SYSTEM).gather[0]  # (n_bins, n_atoms)
    block, tokens = model.gather.blocks[0], model.energies()[None]

    def attended(mask: Tensor) -> Tensor:
        """What the attention of the block adds to the tokens, (n_bins, d)."""
        with_output = block._normed(tokens, encoded.atoms)
        if attention == "projected":
            return block.attention(*with_output, mask)[0]
        return (block.attention_weights(tokens, encoded.atoms, mask)[:, 0] @ with_output[1])[0]

    everything = torch.ones(1, 4, dtype=torch.bool)
    for atom in range(4):
        only, without = torch.zeros_like(everything), everything.clone()
        only[0, atom], without[0, atom] = True, False
        share = weights[:, atom, None]
        expected = (attended(everything) - share * attended(only)) / (1 - share)
        torch.testing.assert_close(attended(without), expected, rtol=1e-8, atol=1e-10)


def test_occlusion_is_zero_for_an_atom_that_nothing_looks_at() -> None:
    """A large bias of queries and keys makes all energies look at one atom; hiding another changes nothing."""
    model, batch = transformer("plain"), two_elements()
    with torch.no_grad():
        for stack in (model.gather, model.refine):
            for block in stack.blocks:
                block.norm.bias[0] = 1e4
    maps, change = attention_maps(model, batch, SYSTEM), occlusion(model, batch, SYSTEM)
    largest = torch.cat([maps.gather, maps.refine]).amax(dim=(0, 1))  # (n_atoms,)
    unseen, seen = largest < 1e-12, largest > 0.5
    assert unseen.sum() == 2
    assert change[unseen].abs().max() < 1e-14
    assert change[seen].abs().max() > 1e-9


def test_occlusion_is_what_prediction_without_the_atom_as_a_key_gives() -> None:
    """The last atom of a crystal, hidden, is as padding: the mask ends one atom earlier."""
    model, batch = transformer(), two_elements()
    encoded = model.encode(batch)
    shorter = EncodedCrystals(encoded.atoms[:, :-1], None, encoded.crystal)
    without = model.spectra(model.fused(model.gathered(shorter), shorter, SYSTEM), shorter)
    expected = (model.predict(batch, SYSTEM) - without)[0]
    torch.testing.assert_close(occlusion(model, batch, SYSTEM)[-1], expected.detach())


def test_an_atom_by_itself_cannot_be_hidden() -> None:
    with pytest.raises(ValueError, match="1 atoms, expected 1 and more than 1"):
        occlusion(transformer(), isolated_atom(), SYSTEM)


def test_shares_of_the_elements_add_up_site_by_site() -> None:
    weights = torch.rand(2, 5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    elements, shares = sum_by_element(weights, torch.tensor([22, 8, 22, 1]))
    assert elements.tolist() == [1, 8, 22]
    expected = torch.stack([weights[..., 3], weights[..., 1], weights[..., 0] + weights[..., 2]], dim=-1)
    torch.testing.assert_close(shares, expected)


def test_several_crystals_at_once_are_refused() -> None:
    with pytest.raises(ValueError, match="3 crystals, expected 1"):
        attention_maps(transformer(), three_crystals(), SYSTEM)
