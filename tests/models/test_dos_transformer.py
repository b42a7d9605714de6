import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor

from models.crystal_systems import CRYSTAL_SYSTEMS
from models.dos.attention import AttentionStack
from models.dos.graph_network import PublishedGraphNetwork
from models.dos.tokens import EnergyTokens
from models.dos.transformer import DosTransformer
from models.graph.batch import CrystalBatch
from models.graph.painn.model import PaiNN
from tests.models.crystals import CUTOFF, crystal, isolated_atom, supercell, three_crystals, triclinic
from tests.models.dense_dos_transformer import DenseDosTransformer

N_BINS = 11
SYSTEMS = torch.tensor([6, 0, 3])


def build(**options: Any) -> DosTransformer:
    torch.manual_seed(0)
    model = DosTransformer(PaiNN(8, 2, 4, CUTOFF), N_BINS, dim=12, n_layers=2, n_heads=3, dropout=0.1, **options)
    return model.double().eval()


@pytest.fixture
def model() -> DosTransformer:
    return build()


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_prompt_changes_the_system_branch_only(model: DosTransformer) -> None:
    spectra = [
        model(three_crystals(), torch.full((3,), system, dtype=torch.int64)) for system in range(len(CRYSTAL_SYSTEMS))
    ]
    for other in spectra[1:]:
        torch.testing.assert_close(other.global_spectrum, spectra[0].global_spectrum)
        assert ((other.system_spectrum - spectra[0].system_spectrum).abs().amax(dim=1) > 1e-6).all()


def test_the_prompted_branch_alone_is_the_prompted_branch_of_both(model: DosTransformer) -> None:
    both = model(three_crystals(), SYSTEMS)
    torch.testing.assert_close(model.predict(three_crystals(), SYSTEMS), both.system_spectrum, rtol=1e-9, atol=1e-12)


def test_spectra_depend_on_the_atoms(model: DosTransformer) -> None:
    batch = three_crystals()
    strained = dataclasses.replace(batch, lattice=1.03 * batch.lattice)
    change = model(strained, SYSTEMS).system_spectrum - model(batch, SYSTEMS).system_spectrum
    assert change[[0, 2]].abs().max() > 1e-6


def test_spectra_are_never_negative(model: DosTransformer) -> None:
    torch.nn.init.constant_(model.output.bias, -30.0)
    prediction = model(three_crystals(), SYSTEMS)
    assert (prediction.global_spectrum >= 0).all()
    assert (prediction.system_spectrum >= 0).all()


@pytest.mark.parametrize(
    "options", [{}, {"attention": "plain", "energies": "table"}, {"energies": "waves", "n_global_inputs": 2}]
)
def test_every_parameter_gets_a_gradient(options: dict[str, Any]) -> None:
    model = build(**options)
    prediction = model(three_crystals(), SYSTEMS, randn(3, 2))
    (prediction.global_spectrum.square().sum() + prediction.system_spectrum.square().sum()).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_numbers_beside_the_structure_count_and_must_be_given() -> None:
    model = build(n_global_inputs=2)
    first, second = (model.predict(three_crystals(), SYSTEMS, randn(3, 2, seed=seed)) for seed in (0, 1))
    assert ((first - second).abs().amax(dim=1) > 1e-6).all()
    with pytest.raises(ValueError, match="give global_inputs"):
        model(three_crystals(), SYSTEMS)


def test_the_grid_may_change(model: DosTransformer) -> None:
    own = model.predict(three_crystals(), SYSTEMS)
    spelled_out = model.predict(three_crystals(), SYSTEMS, positions=torch.linspace(0, 1, N_BINS, dtype=torch.float64))
    torch.testing.assert_close(spelled_out, own, rtol=1e-5, atol=1e-6)  # the bins are kept in single precision
    finer = torch.linspace(0, 1, 4 * N_BINS, dtype=torch.float64)
    assert model.predict(three_crystals(), SYSTEMS, positions=finer).shape == (3, 4 * N_BINS)


def test_energy_tokens_know_that_neighbouring_bins_are_neighbours() -> None:
    torch.manual_seed(0)
    tokens = EnergyTokens(n_bins=101, dim=32, embedding="waves")()
    distance = torch.cdist(tokens, tokens)
    assert distance[50, 51] < 0.5 * distance[50, 70]
    assert distance[0, 1:].min() > 1e-3  # and that the ends are not the same


@pytest.mark.parametrize("embedding", ["both", "table", "waves"])
def test_tokens_between_two_bins_lie_between_theirs(embedding: str) -> None:
    torch.manual_seed(0)
    tokens = EnergyTokens(n_bins=5, dim=8, embedding=embedding).double()
    at_bins = tokens()
    torch.testing.assert_close(tokens(torch.linspace(0, 1, 5).double()), at_bins)
    torch.testing.assert_close(tokens(torch.tensor([0.25 + 1e-9]).double())[0], at_bins[1], rtol=0, atol=1e-6)
    if embedding == "table":
        torch.testing.assert_close(tokens(torch.tensor([0.375]).double())[0], (at_bins[1] + at_bins[2]) / 2)


@pytest.mark.parametrize("attention", ["plain", "projected"])
def test_attention_weights_add_up_to_one_over_the_atoms_there_are(attention: str) -> None:
    torch.manual_seed(0)
    stack = AttentionStack(12, 2, attention, n_heads=3, dropout=0.0, cross=True).double()
    states, atoms = randn(2, 5, 12), randn(2, 4, 12, seed=1)
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    weights = stack.attention_weights(states, atoms, mask)
    assert [one.shape for one in weights] == [(2, 1 if attention == "plain" else 3, 5, 4)] * 2
    for one in weights:
        torch.testing.assert_close(one.sum(dim=-1), torch.ones_like(one[..., 0]))
        assert not one[1, ..., 2:].any()


def test_plain_attention_is_that_of_the_weights_it_tells() -> None:
    torch.manual_seed(0)
    stack = AttentionStack(12, 1, "plain", n_heads=1, dropout=0.0, cross=True).double()
    block, states, atoms = stack.blocks[0], randn(2, 5, 12), randn(2, 4, 12, seed=1)
    torch.nn.init.zeros_(block.contract.weight)
    (weights,) = stack.attention_weights(states, atoms)
    expected = stack.norm(states + weights[:, 0] @ block.norm(atoms))
    torch.testing.assert_close(stack(states, atoms), expected)


def test_dropout_acts_on_plain_attention_while_training_alone() -> None:
    torch.manual_seed(0)
    stack = AttentionStack(12, 2, "plain", n_heads=1, dropout=0.5, cross=True).double()
    states, atoms = randn(2, 5, 12), randn(2, 4, 12, seed=1)
    assert not torch.allclose(stack(states, atoms), stack(states, atoms))
    stack.eval()
    assert torch.equal(stack(states, atoms), stack(states, atoms))


@pytest.mark.parametrize(("kind", "n_global_inputs"), [("phonon", 0), ("electron", 2)])
def test_the_published_model_is_what_its_code_computes_densely(kind: str, n_global_inputs: int) -> None:
    torch.manual_seed(0)
    model = DosTransformer.published(kind, N_BINS, 12, 3, 2, n_global_inputs=n_global_inputs).double()
    crowd = [crystal(*triclinic(1)), isolated_atom(), crystal(*supercell(triclinic(2), (2, 2, 1)))]
    inputs = (CrystalBatch.concatenate(crowd), SYSTEMS, randn(3, n_global_inputs))
    gradients = []
    predictions = [form(*inputs) for form in (model, DenseDosTransformer(model))]
    for prediction in predictions:
        model.zero_grad()
        (prediction.global_spectrum.square().sum() + 2 * prediction.system_spectrum.square().sum()).backward()
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    for branch in ("global_spectrum", "system_spectrum"):
        ours, dense = (getattr(prediction, branch) for prediction in predictions)
        torch.testing.assert_close(ours, dense, rtol=1e-5, atol=1e-6)  # the dense softmax is in single precision
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], rtol=1e-4, atol=1e-4, msg=name)


def test_the_published_electron_graph_has_the_twelve_nearest_neighbours_of_each_atom() -> None:
    batch = crystal(*triclinic(1), cutoff=7.0)
    network = PublishedGraphNetwork.of_kind("electron", dim=4, n_layers=1).double()
    _, nodes, source, target, gaussians = network.graph(batch)
    assert nodes.tolist() == [0] * 5  # four atoms and the node without features
    length = batch.edge_vector().norm(dim=1)
    for atom in range(4):
        nearest = length[batch.edge_source == atom].sort().values[:12]
        centers = 0.2 * torch.arange(41)
        expected = torch.exp(-(((nearest[:, None] - centers) / 0.2) ** 2))
        torch.testing.assert_close(gaussians[source == atom], expected)
    assert int(target.max()) < 4
