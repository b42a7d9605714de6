import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ase.data import atomic_masses as ase_masses
from pymatgen.core import Structure
from torch import Tensor

from models.crystal_systems import CRYSTAL_SYSTEMS
from models.dos.atomic_masses import atomic_masses
from models.dos.published import published_name
from models.dos.transformer import DosTransformer
from models.graph.batch import CrystalBatch
from models.graph.element_table import N_ELEMENTS

FOLDER = Path(__file__).parents[3] / "shared/parity/dostransformer"
FILES = {"electron": "electron_f32_h32_b4", "phonon": "phonon_f64_h32_b4"}
TOLERANCE = {"electron": 1e-5, "phonon": 1e-6}


class Published:
    """What the published code read and gave, and our model with its weights."""

    def __init__(self, kind: str) -> None:
        with np.load(FOLDER / f"{FILES[kind]}.npz") as file:
            self.arrays = {name: torch.from_numpy(file[name]) for name in file.files}
        self.description: dict[str, Any] = json.loads((FOLDER / f"{FILES[kind]}.json").read_text())
        self.kind, self.tolerance = kind, TOLERANCE[kind]
        self.systems = torch.tensor([CRYSTAL_SYSTEMS.index(system) for system in self.description["systems"]])
        self.global_inputs = self.arrays["in/glob"].view(4, 2) if kind == "electron" else None
        structures = [Structure.from_dict(one) for one in self.description["structures"]]
        if kind == "electron":  # the published code reads the crystals back from CIF
            structures = [Structure.from_str(one, "cif") for one in self.description["cifs"]]
        self.crystals = self.read_crystals(structures)

    def part(self, prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): one for name, one in self.arrays.items() if name.startswith(prefix)}

    def model(self) -> DosTransformer:
        return DosTransformer.from_published(self.part("sd/"), self.kind, self.element_features())

    def read_crystals(self, structures: list[Structure]) -> CrystalBatch:
        """The crystals with the published edges; an image is told by the length or the vector of its edge."""
        dtype = self.arrays["in/x"].dtype
        counts = [len(structure) for structure in structures]
        source, target = self.arrays["in/edge_index"]
        if self.kind == "electron":  # without the extra node of each crystal
            crystal = self.arrays["in/batch"]
            source, target = source - crystal[source], target - crystal[target]
        own = torch.ones_like(source, dtype=torch.bool)
        if self.kind == "phonon":  # our network adds the edges of no length itself
            own = self.arrays["in/edge_vec"].norm(dim=1) > 0
        frac_coords = torch.from_numpy(np.concatenate([one.frac_coords for one in structures]))
        batch = torch.arange(4).repeat_interleave(torch.tensor(counts))
        lattice = torch.from_numpy(np.stack([one.lattice.matrix for one in structures]))
        return CrystalBatch(
            atomic_numbers=torch.tensor([number for one in structures for number in one.atomic_numbers]),
            frac_coords=frac_coords.to(dtype),
            lattice=lattice.to(dtype),
            batch=batch,
            edge_source=source[own],
            edge_target=target[own],
            edge_image=self.images(frac_coords, lattice[batch[source]], source, target)[own].to(dtype),
        )

    def images(self, frac_coords: Tensor, lattice: Tensor, source: Tensor, target: Tensor) -> Tensor:
        """The lattice translation of each edge, (n_edges, 3), by trying all within four cells."""
        window = torch.cartesian_prod(*[torch.arange(-4.0, 5.0, dtype=torch.float64)] * 3)
        difference = frac_coords[target] - frac_coords[source]
        vectors = (difference[:, None] + window) @ lattice  # (n_edges, n_images, 3)
        if self.kind == "phonon":
            error = (vectors - self.arrays["in/edge_vec"][:, None]).norm(dim=-1)
        else:
            centers = 0.2 * torch.arange(41, dtype=torch.float64)
            gaussians = self.arrays["in/edge_attr"].double()
            length = vectors.norm(dim=-1)
            peak = centers[gaussians.argmax(dim=1), None]
            # of two neighbouring Gaussians the ratio tells the length
            at_peak = torch.exp(-(((length - peak) / 0.2) ** 2)) - gaussians.amax(dim=1, keepdim=True)
            beside = torch.exp(-(((length - peak + 0.2) / 0.2) ** 2)) - gaussians.gather(
                1, gaussians.argmax(dim=1, keepdim=True) - 1
            )
            error = at_peak.abs() + beside.abs()
        assert float(error.amin(dim=1).max()) < 1e-4
        return window[error.argmin(dim=1)]

    def element_features(self) -> Tensor | None:
        """The table that the electron weights were trained with, as far as the four crystals tell it."""
        if self.kind == "phonon":
            return None
        real = self.arrays["in/x"].abs().sum(dim=1) > 0
        table = torch.zeros(N_ELEMENTS + 1, 200)
        table[self.crystals.atomic_numbers] = self.arrays["in/x"][real]
        return table


@pytest.fixture(scope="module", params=FILES)
def published(request: pytest.FixtureRequest) -> Published:
    if not FOLDER.exists():
        pytest.skip("outputs of the published code are not beside the project")
    return Published(request.param)


def error(found: Tensor, expected: Tensor) -> float:
    """Largest difference over the largest value."""
    return float((found - expected).detach().abs().max() / expected.abs().max())


def test_outputs_are_the_published_ones(published: Published) -> None:
    prediction = published.model()(published.crystals, published.systems, published.global_inputs)
    assert error(prediction.global_spectrum, published.arrays["out/dos_global"]) < published.tolerance
    assert error(prediction.system_spectrum, published.arrays["out/dos_system"]) < published.tolerance


def test_the_prompted_branch_alone_gives_the_published_output(published: Published) -> None:
    spectra = published.model().predict(published.crystals, published.systems, published.global_inputs)
    assert error(spectra, published.arrays["out/dos_system"]) < published.tolerance


def test_what_lies_between_is_what_the_published_code_has_there(published: Published) -> None:
    model, seen = published.model(), {}

    def record(name: str) -> Any:
        return lambda _module, _inputs, output: seen.update({name: output})

    for name in ("gather", "mix", "refine", "crystal_map"):
        getattr(model, name).register_forward_hook(record(name))
    model.graph_encoder.node_encoder.register_forward_hook(record("node_encoder"))
    for index, layer in enumerate(model.graph_encoder.layers):
        layer.node_mlp.register_forward_hook(record(f"node_mlp{index}"))
    model(published.crystals, published.systems, published.global_inputs)

    taps = published.part("tap/")
    branches = {"mix": "transformer_self", "refine": "transformer_source"}
    expected = {"gather": taps["transformer#0"].transpose(0, 1), "crystal_map": taps["GN_decoder#0"]}
    expected |= {n: torch.cat([taps[f"{old}#0"], taps[f"{old}#1"]], 1).transpose(0, 1) for n, old in branches.items()}
    expected |= {"node_encoder": taps["GN_encoder.node#0"]}
    expected |= {f"node_mlp{index}": taps[f"processor{index}.node_update#0"] for index in range(3)}
    for name, tap in expected.items():
        assert error(seen[name], tap) < published.tolerance, name


def test_loss_and_gradients_are_the_published_ones(published: Published) -> None:
    # in double precision, so that the order in which a processor sums does not matter
    model, crystals, global_inputs = published.model().double(), published.crystals, published.global_inputs
    crystals = replace(
        crystals,
        frac_coords=crystals.frac_coords.double(),
        lattice=crystals.lattice.double(),
        edge_image=crystals.edge_image.double(),
    )
    prediction = model(crystals, published.systems, None if global_inputs is None else global_inputs.double())
    loss = published_loss(published, prediction.global_spectrum) + published_loss(published, prediction.system_spectrum)
    assert loss.item() == pytest.approx(float(published.arrays["loss"]), rel=published.tolerance)
    loss.backward()
    gradients = published.part("grad/")
    found = dict(model.named_parameters())
    assert {published_name(name) for name in gradients} == set(found)
    for name, expected in gradients.items():
        gradient = found[str(published_name(name))].grad
        assert gradient is not None
        # the published softmax is in single precision even here, which a gradient that nearly cancels makes visible
        scale = max(float(expected.abs().max()), 0.01)
        assert float((gradient - expected).abs().max()) < published.tolerance * scale, name


def published_loss(published: Published, spectra: Tensor) -> Tensor:
    """Section 4 of the published training: RMSE per crystal for electrons, over the whole batch for phonons."""
    if published.kind == "phonon":
        return (spectra - published.arrays["in/phdos"]).square().mean().sqrt()
    target = published.arrays["in/y_ft"].view(4, -1).clamp_min(0)
    return (spectra - target).square().mean(dim=1).sqrt().mean()


def test_atoms_attend_to_padding_as_published(published: Published) -> None:
    model = published.model()
    together = model(published.crystals, published.systems, published.global_inputs).system_spectrum
    model.mask_padding = True
    masked = model(published.crystals, published.systems, published.global_inputs).system_spectrum
    largest = published.crystals.batch.bincount().argmax()
    torch.testing.assert_close(masked[largest], together[largest], rtol=1e-4, atol=1e-5)
    assert float((masked - together).abs().amax(dim=1)[0]) > 1e-3  # the smallest crystal has most padding


def test_what_was_never_trained_is_dropped(published: Published) -> None:
    ours = sum(parameter.numel() for parameter in published.model().parameters())
    trained = {name.removeprefix("grad/") for name in published.arrays if name.startswith("grad/")}
    assert ours == sum(published.arrays[f"sd/{name}"].numel() for name in trained)
    assert ours < 0.75 * sum(one.numel() for one in published.part("sd/").values())


def test_what_does_not_fit_is_said(published: Published) -> None:
    whole = published.part("sd/")
    with pytest.raises(ValueError, match=r"nothing gives energies\.table"):
        DosTransformer.from_published({}, published.kind)
    without = {name: one for name, one in whole.items() if name != "fc.bias"}
    with pytest.raises(ValueError, match=r"fuse_global\.bias"):
        DosTransformer.from_published(without, published.kind, published.element_features())
    with pytest.raises(ValueError, match="no_such"):
        DosTransformer.from_published(whole | {"no_such": torch.zeros(1)}, published.kind, published.element_features())


def test_masses_are_those_of_ase() -> None:
    np.testing.assert_array_equal(atomic_masses()[1:].numpy(), ase_masses[1 : N_ELEMENTS + 1])
