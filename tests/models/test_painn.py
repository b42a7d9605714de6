import dataclasses

import pytest
import torch
from torch import Tensor

from models.graph.batch import CrystalBatch
from models.graph.painn import messages
from models.graph.painn.model import PaiNN, UpdateBlock
from tests.models.crystals import CUTOFF, crystal, random_rotation, three_crystals, triclinic


@pytest.fixture
def model() -> PaiNN:
    torch.manual_seed(0)
    return PaiNN(dim=8, n_interactions=2, n_radial=6, cutoff=CUTOFF).double()


def test_vectors_rotate_with_the_crystal(model: PaiNN) -> None:
    elements, frac_coords, lattice = triclinic(seed=5)
    rotation = random_rotation(seed=5)
    _, vectors = model.equivariant_features(crystal(elements, frac_coords, lattice))  # (n_atoms, 3, d)
    _, rotated = model.equivariant_features(crystal(elements, frac_coords, lattice @ rotation))
    assert vectors.abs().max() > 1e-3
    torch.testing.assert_close(rotated, torch.einsum("nkd,kl->nld", vectors, rotation), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("variant", ["paper", "clac"])
@pytest.mark.parametrize("edges_per_part", [7, 10_000])
def test_equals_the_equations_written_edge_by_edge(
    edges_per_part: int, variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "_EDGES_PER_PART", edges_per_part)
    torch.manual_seed(0)
    model = PaiNN(dim=8, n_interactions=2, n_radial=6, cutoff=CUTOFF, variant=variant).double()
    batch = crystal(*triclinic(seed=6, n_atoms=2))
    assert len(batch.edge_source) > 20
    scalars, vectors = model.equivariant_features(batch)
    expected_scalars, expected_vectors = _painn_edge_by_edge(model, batch, variant)
    # the norm of Vv is softened by 1e-12 under the root
    torch.testing.assert_close(scalars, expected_scalars, rtol=1e-8, atol=1e-9)
    torch.testing.assert_close(vectors, expected_vectors, rtol=1e-8, atol=1e-9)


def test_gradients_do_not_depend_on_how_edges_are_split(model: PaiNN, monkeypatch: pytest.MonkeyPatch) -> None:
    gradients = []
    for size in (10, 10_000):
        monkeypatch.setattr(messages, "_EDGES_PER_PART", size)
        model.zero_grad()
        model(three_crystals()).pooled.square().sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-9, atol=1e-12)


def test_edges_beyond_the_cutoff_carry_nothing(model: PaiNN) -> None:
    elements, frac_coords, lattice = triclinic(seed=7)
    exact = model(crystal(elements, frac_coords, lattice))
    wider = model(crystal(elements, frac_coords, lattice, cutoff=CUTOFF + 1.5))
    torch.testing.assert_close(wider.nodes, exact.nodes, rtol=1e-10, atol=1e-12)


def test_sum_pooling_is_the_number_of_atoms_times_the_mean() -> None:
    batch = three_crystals()
    pooled = []
    for pooling in ("mean", "sum"):
        torch.manual_seed(0)
        pooled.append(PaiNN(8, 1, 4, CUTOFF, pooling).double()(batch).pooled)
    n_atoms = torch.tensor([[4.0], [1.0], [2.0]], dtype=torch.float64)
    torch.testing.assert_close(pooled[1], n_atoms * pooled[0])


def test_an_isolated_atom_depends_on_its_element_alone(model: PaiNN) -> None:
    batch = three_crystals()
    alone = dataclasses.replace(batch, lattice=1.1 * batch.lattice)
    assert torch.equal(model(alone).pooled[1], model(batch).pooled[1])


@pytest.mark.parametrize("option", ["pooling", "variant", "element_features"])
def test_an_unknown_option_is_refused(option: str) -> None:
    with pytest.raises(ValueError, match=f"{option} is 'max', expected"):
        PaiNN(8, 1, 4, CUTOFF, **{option: "max"})


def _painn_edge_by_edge(model: PaiNN, batch: CrystalBatch, variant: str) -> tuple[Tensor, Tensor]:
    """Equations 7 to 10 of Schütt et al. 2021, or CLaC's in the place of 10, with a loop over atoms and edges."""
    s = list(model.element_embedding(batch))
    v = [torch.zeros(3, model.dim, dtype=torch.float64) for _ in s]
    vectors = batch.edge_vector()
    for message, update in zip(model.messages, model.updates, strict=True):
        assert isinstance(message, messages.MessageBlock)
        assert isinstance(update, UpdateBlock)
        new_s, new_v = list(s), list(v)
        for edge, (i, j) in enumerate(zip(batch.edge_source.tolist(), batch.edge_target.tolist(), strict=True)):
            r = vectors[edge].norm()
            filters = message.radial_filter(model.radial_basis(r[None])[0])
            f_s, f_vv, f_vs = (message.scalar_net(s[j]) * filters).split(model.dim)
            new_s[i] = new_s[i] + f_s
            new_v[i] = new_v[i] + v[j] * f_vv + torch.outer(vectors[edge] / r, f_vs)
        s, v = new_s, new_v
        u_map, v_map = update.vector_maps.weight.split(model.dim)
        for i in range(len(s)):
            u_v, v_v = v[i] @ u_map.T, v[i] @ v_map.T
            gates = update.gate_net(torch.cat([s[i], v_v.norm(dim=0)]))
            a_ss, a_sv, a_vv = gates.split(model.dim)
            gated = u_v if variant == "paper" else v[i]
            s[i], v[i] = s[i] + a_ss + a_sv * (u_v * v_v).sum(dim=0), v[i] + a_vv * gated
    return torch.stack(s), torch.stack(v)


def test_the_gradients_of_the_sums_over_neighbours_are_those_of_finite_differences(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(messages, "_EDGES_PER_PART", 3)
    torch.manual_seed(0)
    n_atoms, n_edges, dim, n_radial = 3, 7, 2, 4
    source, target = torch.randint(n_atoms, (2, n_edges)).sort(dim=1).values
    shapes = [(n_atoms, dim), (n_atoms, dim), (3, n_atoms, dim), (3 * dim, n_radial), (n_edges, 3), (n_edges, n_radial)]
    inputs = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    assert torch.autograd.gradcheck(messages._NeighborSum.apply, (*inputs, source, target))


def test_messages_keep_single_precision_where_the_rest_has_half(model: PaiNN) -> None:
    single = model.float()
    batch = three_crystals()
    batch = dataclasses.replace(batch, frac_coords=batch.frac_coords.float(), lattice=batch.lattice.float())
    exact = single(batch).pooled
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = single(batch).pooled
    mixed.float().square().sum().backward()
    torch.testing.assert_close(mixed.float(), exact, rtol=0.05, atol=0.05)
    gradients = [parameter.grad for parameter in single.parameters() if parameter.grad is not None]
    assert gradients
    assert all(gradient.dtype == torch.float32 for gradient in gradients)
