"""As many crystals as one likes: those of the sample, substituted, strained, perturbed and as supercells."""

import copy
import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.core import Element

_FAMILIES = tuple(
    family.split()
    for family in (
        "Li Na K Rb Cs",
        "Be Mg Ca Sr Ba",
        "Sc Y La Ce Pr Nd Sm Eu Gd Tb Dy Ho Er Tm Yb Lu",
        "Ti Zr Hf",
        "V Nb Ta",
        "Cr Mo W",
        "Fe Ru Os",
        "Co Rh Ir",
        "Ni Pd Pt",
        "Cu Ag Au",
        "Zn Cd Hg",
        "B Al Ga In Tl",
        "C Si Ge Sn Pb",
        "N P As Sb Bi",
        "O S Se Te",
        "F Cl Br I",
    )
)
"""Elements that stand in for one another: the groups of the periodic table, rare earths together."""
_SUBSTITUTION = 0.5
"""Probability that an element is replaced by another one of its family."""
_STRAIN = 0.01
_SHIFT = 0.02
"""Standard deviations of the strain and of the moves of the atoms, as fractions of a cell edge."""


def synthetic_documents(sample: Path, n_crystals: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Yield documents of the Materials Project's format, each different and each the same in every run.

    The sample is gone through again and again, every time in another order, so that any stretch of some hundred
    documents is a fair picture of all. Properties, spectra and texts stay those of the crystal that was changed.

    Args:
        sample: `materials_project.jsonl.gz` of data/sample.
        n_crystals: how many; the first of a longer run are those of a shorter one.
        seed: of all draws.
    """
    with gzip.open(sample, "rt", encoding="utf-8") as file:
        documents = [json.loads(line) for line in file]
    order: list[int] = []
    for number in range(n_crystals):
        if not order:
            order = list(np.random.RandomState([seed, 0, number]).permutation(len(documents)))
        random = np.random.RandomState([seed, 1, number])
        document = copy.copy(documents[order.pop()])
        document["material_id"] = f"synthetic-{number:07d}"
        document["structure"] = _varied(document["structure"], random)
        yield document


def write_documents(path: Path, documents: Iterator[Mapping[str, Any]]) -> None:
    """Write documents one a line, compressed, with the same bytes in every run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as raw, gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0) as file:
        for document in documents:
            file.write(json.dumps(document).encode() + b"\n")


def _varied(structure: Mapping[str, Any], random: np.random.RandomState) -> dict[str, Any]:
    matrix = np.array(structure["lattice"]["matrix"])
    symbols = [site["species"][0]["element"] for site in structure["sites"]]
    coords = np.array([site["abc"] for site in structure["sites"]])
    replaced = _substitution(sorted(set(symbols)), random)
    sizes = [float(Element(symbol).atomic_radius or 1.5) for symbol in symbols]
    new_sizes = [float(Element(replaced[symbol]).atomic_radius or 1.5) for symbol in symbols]
    matrix = matrix * max(1.0, sum(new_sizes) / sum(sizes))  # an atom that does not fit would be rejected
    strain = random.normal(scale=_STRAIN, size=(3, 3))
    matrix = matrix @ (np.eye(3) + (strain + strain.T) / 2)
    repeats = random.choice([1, 2], size=3, p=[0.6, 0.4])
    images = np.stack(np.meshgrid(*[np.arange(n) for n in repeats], indexing="ij"), axis=-1).reshape(-1, 3)
    supercell = (coords[:, None, :] + images[None]).reshape(-1, 3) / repeats  # (n_atoms * n_images, 3)
    supercell += random.normal(scale=_SHIFT, size=supercell.shape) / repeats
    new_symbols = np.repeat([replaced[symbol] for symbol in symbols], len(images))
    return {
        "lattice": {"matrix": (matrix * repeats[:, None]).tolist()},
        "sites": [
            {"species": [{"element": str(symbol), "occu": 1}], "abc": place.tolist()}
            for symbol, place in zip(new_symbols, supercell, strict=True)
        ],
    }


def _substitution(symbols: list[str], random: np.random.RandomState) -> dict[str, str]:
    """Return the new element for each old one, different for different ones."""
    replaced: dict[str, str] = {}
    for symbol in symbols:
        relatives = next((family for family in _FAMILIES if symbol in family), ())
        free = [relative for relative in relatives if relative not in symbols and relative not in replaced.values()]
        change = free and random.rand() < _SUBSTITUTION
        replaced[symbol] = str(random.choice(free)) if change else symbol
    return replaced
