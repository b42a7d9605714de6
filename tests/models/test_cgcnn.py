import dataclasses

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch_geometric.nn import CGConv

from models.graph.batch import CrystalBatch
from models.graph.cgcnn.model import CGCNN, BatchNorm, Bonds, CrystalGraphConvolution
from models.graph.radial import GaussianBasis
from tests.models.crystals import CUTOFF, crystal, three_crystals, triclinic

DIM, N_RADIAL = 6, 9


def trained(variant: str, pooling: str = "mean") -> CGCNN:
    """A model in double precision whose running averages and scales are not those of the start."""
    torch.manual_seed(0)
    model = CGCNN(DIM, 2, N_RADIAL, CUTOFF, pooling, variant).double()
    for module in model.modules():
        if isinstance(module, BatchNorm):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    model.train()(three_crystals())
    return model.eval()


@pytest.mark.parametrize("training", [True, False])
def test_convolution_equals_that_of_pytorch_geometric(training: bool) -> None:
    torch.manual_seed(0)
    ours = CrystalGraphConvolution(DIM, N_RADIAL, normalize_messages=False).double().train(training)
    theirs = CGConv(DIM, dim=N_RADIAL, batch_norm=True).double().train(training)
    with torch.no_grad():
        theirs.lin_f.weight.copy_(ours.linear.weight[:DIM])
        theirs.lin_f.bias.copy_(ours.linear.bias[:DIM])
        theirs.lin_s.weight.copy_(ours.linear.weight[DIM:])
        theirs.lin_s.bias.copy_(ours.linear.bias[DIM:])
    batch = three_crystals()
    bonds = Bonds.of(batch, GaussianBasis(N_RADIAL, CUTOFF).double())
    bonds = dataclasses.replace(bonds, envelope=torch.ones_like(bonds.envelope))
    atoms = torch.randn(len(batch.atomic_numbers), DIM, dtype=torch.float64, requires_grad=True)
    found = ours(atoms, bonds)
    expected = F.softplus(theirs(atoms, torch.stack([bonds.target, bonds.source]), bonds.basis))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    (gradient,) = torch.autograd.grad(found.square().sum(), atoms)
    (expected_gradient,) = torch.autograd.grad(expected.square().sum(), atoms)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("variant", ["paper", "clac"])
def test_equals_the_equations_written_edge_by_edge(variant: str) -> None:
    model = trained(variant)
    batch = crystal(*triclinic(seed=6, n_atoms=3))
    assert len(batch.edge_source) > 20
    torch.testing.assert_close(model(batch).nodes, _cgcnn_edge_by_edge(model, batch, variant), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("variant", ["paper", "clac"])
def test_edges_beyond_the_cutoff_carry_nothing(variant: str) -> None:
    model = trained(variant)
    material = triclinic(seed=7)
    wider = model(crystal(*material, cutoff=CUTOFF + 1.5))
    torch.testing.assert_close(wider.nodes, model(crystal(*material)).nodes, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("variant", ["paper", "clac"])
def test_an_isolated_atom_depends_on_its_element_alone(variant: str) -> None:
    model = trained(variant)
    batch = three_crystals()
    stretched = dataclasses.replace(batch, lattice=1.1 * batch.lattice)
    torch.testing.assert_close(model(stretched).pooled[1], model(batch).pooled[1], rtol=1e-12, atol=1e-12)


def test_sum_pooling_is_the_number_of_atoms_times_the_mean() -> None:
    mean, total = (trained("paper", pooling)(three_crystals()).pooled for pooling in ("mean", "sum"))
    torch.testing.assert_close(total, torch.tensor([[4.0], [1.0], [2.0]], dtype=torch.float64) * mean)


def test_batch_norm_of_two_rows_or_more_is_that_of_torch() -> None:
    ours, theirs = BatchNorm(3), torch.nn.BatchNorm1d(3)
    rows = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ours(rows), theirs(rows))
    assert torch.equal(ours.eval()(rows), theirs.eval()(rows))


@pytest.mark.parametrize("n_rows", [0, 1])
def test_batch_norm_of_fewer_rows_takes_the_running_averages_and_leaves_them(n_rows: int) -> None:
    norm = BatchNorm(3)
    norm(torch.randn(5, 3, generator=torch.Generator().manual_seed(0)))
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    row = torch.randn(n_rows, 3, generator=torch.Generator().manual_seed(1))
    expected = (row - before["running_mean"]) / (before["running_var"] + norm.eps).sqrt()
    torch.testing.assert_close(norm(row), expected)
    assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())


@pytest.mark.parametrize("option", ["pooling", "variant", "element_features"])
def test_an_unknown_option_is_refused(option: str) -> None:
    with pytest.raises(ValueError, match=f"{option} is 'max', expected"):
        CGCNN(DIM, 1, N_RADIAL, CUTOFF, **{option: "max"})


def _cgcnn_edge_by_edge(model: CGCNN, batch: CrystalBatch, variant: str) -> Tensor:
    """Equation 5 of Xie and Grossman 2018 and the readout of their code, with a loop over atoms and edges."""
    vectors = batch.edge_vector()
    atoms = list(model.element_embedding(batch))
    for convolution in model.convolutions:
        assert isinstance(convolution, CrystalGraphConvolution)
        sums = [torch.zeros(model.dim, dtype=torch.float64) for _ in atoms]
        for edge, (i, j) in enumerate(zip(batch.edge_source.tolist(), batch.edge_target.tolist(), strict=True)):
            z = convolution.linear(torch.cat([atoms[i], atoms[j], _bond_features(vectors[edge].norm(), variant)]))
            if variant == "paper":
                z = _normalized(convolution.message_norm, z)
            gate, core = z.split(model.dim)
            envelope = 0.5 * (torch.cos(torch.pi * vectors[edge].norm() / CUTOFF) + 1)
            sums[i] = sums[i] + torch.sigmoid(gate) * F.softplus(core) * envelope
        atoms = [F.softplus(v + _normalized(convolution.sum_norm, s)) for v, s in zip(atoms, sums, strict=True)]
    first, second = model.readout[1], model.readout[3]
    start = [F.softplus(v) if variant == "paper" else v for v in atoms]
    return torch.stack([second(F.softplus(first(v))) for v in start])


def _bond_features(r: Tensor, variant: str) -> Tensor:
    spacing = CUTOFF / (N_RADIAL - 1)
    offset = r - spacing * torch.arange(N_RADIAL, dtype=torch.float64)
    if variant == "paper":
        return torch.exp(-((offset / spacing) ** 2))
    return torch.exp(-(offset**2) / spacing) * torch.cos(torch.pi * r / (2 * CUTOFF))


def _normalized(norm: torch.nn.Module, values: Tensor) -> Tensor:
    """Batch normalisation in evaluation mode, from its definition."""
    state = norm.state_dict()
    return (values - state["running_mean"]) / (state["running_var"] + 1e-5).sqrt() * state["weight"] + state["bias"]
