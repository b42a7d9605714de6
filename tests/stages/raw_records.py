"""Raw records in the sources' formats, for the tests of several stages."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from ase import Atoms

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data" / "sample"

ROCKSALT = [[0.0, 2.8, 2.8], [2.8, 0.0, 2.8], [2.8, 2.8, 0.0]]


def mp_document(material_id: str, elements: tuple[str, str] = ("Na", "Cl"), **fields: Any) -> dict[str, Any]:
    """A rocksalt crystal as a Materials Project document holding nothing but id and structure, plus `fields`."""
    sites = [
        {"species": [{"element": element, "occu": 1}], "abc": abc}
        for element, abc in zip(elements, ([0.0, 0.0, 0.0], [0.5, 0.5, 0.5]), strict=True)
    ]
    structure = {"lattice": {"matrix": ROCKSALT}, "sites": sites}
    return {"material_id": material_id, "structure": structure, **fields}


def jarvis_atoms(elements: tuple[str, str] = ("Na", "Cl")) -> dict[str, Any]:
    """The same crystal as JARVIS writes it."""
    return {
        "lattice_mat": ROCKSALT,
        "coords": [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]],
        "elements": list(elements),
        "cartesian": False,
        "props": ["", ""],
    }


def write_materials_project(raw: Path, documents: Iterable[dict[str, Any] | str]) -> None:
    """Write documents, or lines as they are, as the raw file of the source."""
    lines = [item if isinstance(item, str) else json.dumps(item) for item in documents]
    _write_text(raw / "materials_project" / "materials_project.jsonl.gz", "".join(f"{line}\n" for line in lines))


def write_jarvis(raw: Path, properties: list[Any] | None = None, spectra: list[Any] | None = None) -> None:
    """Write either or both JARVIS files."""
    for name, records in (("jarvis_dft_3d", properties), ("jarvis_edos_pdos", spectra)):
        if records is not None:
            _write_text(raw / "jarvis" / f"{name}.json.gz", json.dumps(records))


def write_narratives(raw: Path, rows: list[dict[str, Any]], corpus: str = "mp_3d_2020") -> None:
    """Write rows as a narrative parquet."""
    path = raw / "narratives" / f"narratives_{corpus}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def phonon_row(mp_id: str, elements: tuple[str, str] = ("Na", "Cl"), **cells: Any) -> dict[str, str]:
    """The same crystal as a row of the phonon tutorial: `Atoms.todict()` and lists, as Python writes them."""
    atoms = Atoms(elements, scaled_positions=[[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]], cell=ROCKSALT, pbc=True)
    return phonon_cells(mp_id, atoms) | cells


PHONON_FREQUENCIES = np.linspace(0, 1000, 51)


def phonon_parts(elements: Iterable[str]) -> dict[str, np.ndarray]:
    """Phonon densities of states of elements, each at other frequencies; together they are 1 at most."""
    names = sorted(set(elements))
    peaks = {name: np.exp(-(((PHONON_FREQUENCIES - 200 - 60 * n) / 80) ** 2)) for n, name in enumerate(names, start=1)}
    largest = np.sum(list(peaks.values()), axis=0).max()
    return {name: peak / largest for name, peak in peaks.items()}


def phonon_cells(mp_id: str, atoms: Atoms) -> dict[str, str]:
    """Any crystal as a row of the phonon tutorial, where the part of each element is divided by its own maximum."""
    structure = {name: array.tolist() for name, array in atoms.todict().items()}
    parts = phonon_parts(atoms.get_chemical_symbols())
    return {
        "mp_id": mp_id,
        "structure": str(structure),
        "phfreq": str(PHONON_FREQUENCIES.tolist()),
        "phdos": str(np.sum(list(parts.values()), axis=0).tolist()),
        "pdos": str({symbol: (part / part.max()).tolist() for symbol, part in parts.items()}),
    }


def write_phonon_tutorial(raw: Path, rows: list[dict[str, str]], **row_numbers: list[int]) -> None:
    """Write rows, and the row numbers of `train`, `valid` and `test`, as the files of the phonon tutorial."""
    folder = raw / "phonon_tutorial"
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(folder / "phonon_tutorial.csv", index=False)
    for name, numbers in row_numbers.items():
        path = folder / f"phonon_tutorial_idx_{name}.txt"
        path.write_text("".join(f"{number}\n" for number in numbers), encoding="utf-8")


def write_own(raw: Path, files: dict[str, str]) -> None:
    """Write texts, by file name, as somebody's own files."""
    folder = raw / "own"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def read_sample_materials_project() -> list[dict[str, Any]]:
    with gzip.open(SAMPLE / "materials_project.jsonl.gz", "rt") as file:
        return [json.loads(line) for line in file]


def read_sample_json(name: str) -> list[dict[str, Any]]:
    with gzip.open(SAMPLE / name, "rt") as file:
        return json.load(file)


def read_sample_narratives() -> list[dict[str, Any]]:
    return pq.read_table(SAMPLE / "narratives_mp_3d_2020.parquet").to_pylist()


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write(text)
