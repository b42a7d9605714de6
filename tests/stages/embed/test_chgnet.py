"""CHGNet's embeddings against what its own package says, and what becomes of crystals it does not know."""

import numpy as np
import pytest
from chgnet.model.model import CHGNet
from pymatgen.core import Lattice, Structure

from stages.embed.chgnet import CHGNetEmbedder, load_chgnet
from stages.embed.collect import embed_all
from stages.embed.embedder import CrystalEntry
from stages.shared.structures import structure_from_cif, structure_to_cif
from tests.pipeline.runs import sample_documents

SAMPLE = {document["material_id"]: Structure.from_dict(document["structure"]) for document in sample_documents()[::40]}


def entry(name: str, structure: Structure) -> CrystalEntry:
    return CrystalEntry(name, structure_to_cif(structure))


@pytest.fixture(scope="module")
def embedder() -> CHGNetEmbedder:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XTALK_THREADS", "1")
        return load_chgnet()


def test_is_the_crystal_feature_of_the_package_per_atom(embedder: CHGNetEmbedder) -> None:
    reference = CHGNet.load(use_device="cpu", verbose=False)
    for name, structure in SAMPLE.items():
        crystal = entry(name, structure)
        structure_read = structure_from_cif(crystal.cif)
        prediction = reference.predict_structure(structure_read, task="e", return_crystal_feas=True)
        expected = prediction["crystal_fea"] / len(structure)
        np.testing.assert_allclose(embedder.embed(crystal), expected, rtol=1e-4, atol=1e-5)


def test_a_supercell_has_the_embedding_of_its_crystal(embedder: CHGNetEmbedder) -> None:
    structure = min(SAMPLE.values(), key=len)
    one, eight = (embedder.embed(entry("x", structure * size)) for size in (1, 2))
    np.testing.assert_allclose(eight, one, rtol=1e-3, atol=1e-4)


def test_neither_the_order_nor_the_company_of_a_crystal_changes_a_byte(embedder: CHGNetEmbedder) -> None:
    crystals = [entry(name, structure) for name, structure in SAMPLE.items()]
    forwards, backwards = embed_all(embedder, crystals), embed_all(embedder, crystals[::-1])
    assert list(forwards.embeddings) == list(backwards.embeddings) == sorted(SAMPLE)
    for crystal in crystals:
        alone = embed_all(embedder, [crystal]).embeddings[crystal.material_id].tobytes()
        assert forwards.embeddings[crystal.material_id].tobytes() == alone
        assert backwards.embeddings[crystal.material_id].tobytes() == alone


def test_crystals_the_model_does_not_know_are_listed_with_the_reason(embedder: CHGNetEmbedder) -> None:
    rocksalt = [[0, 0, 0], [0.5, 0.5, 0.5]]
    strange = {
        "a single atom in a box": Structure(Lattice.cubic(20), ["Xe"], [[0, 0, 0]]),
        "one atom far away": Structure(Lattice.cubic(20), ["Na", "Cl", "He"], [[0, 0, 0], [0, 0, 0.1], [0.5] * 3]),
        "a mixed site": Structure(Lattice.cubic(3), [{"Fe": 0.5, "Ni": 0.5}], [[0, 0, 0]]),
        "a vacancy": Structure(Lattice.cubic(3), [{"Fe": 0.5}], [[0, 0, 0]]),
        "americium": Structure(Lattice.cubic(3), ["Am", "O"], rocksalt),
    }
    crystals = [entry(name, structure) for name, structure in strange.items()]
    good = entry("plutonium", Structure(Lattice.cubic(3), ["Pu", "O"], rocksalt))
    embedded = embed_all(embedder, [*crystals, good, CrystalEntry("no CIF", "data_x")])
    assert list(embedded.embeddings) == ["plutonium"]
    assert embedded.reasons.keys() == strange.keys() | {"no CIF"}
    for name, words in {
        "a single atom in a box": "1 of its atoms have no neighbour",
        "one atom far away": "1 of its atoms have no neighbour",
        "a mixed site": "mixed or partly vacant",
        "a vacancy": "mixed or partly vacant",
        "americium": "up to 94, not 95",
        "no CIF": "CIF cannot be read",
    }.items():
        assert words in embedded.reasons[name]


def test_deuterium_is_hydrogen(embedder: CHGNetEmbedder) -> None:
    light, heavy = (Structure(Lattice.cubic(4), ["Li", symbol], [[0, 0, 0], [0.5] * 3]) for symbol in ("H", "D"))
    np.testing.assert_array_equal(embedder.embed(entry("x", heavy)), embedder.embed(entry("x", light)))
