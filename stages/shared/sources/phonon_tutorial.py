"""Phonon densities of states of the e3nn tutorial: a CSV file whose cells are Python literals.

Columns: `mp_id`; `structure`, the dictionary of an `ase.Atoms` (numbers, positions in Å, cell, pbc); `phfreq`, 51
wavenumbers from 0 to 1000 cm⁻¹; `phdos`, the density at each, 1 at its maximum; `pdos`, the same by element, each 1 at
its own maximum, or `{}`. Beside it lie the published train, validation and test sets: lists of row numbers, counted
from 0.

Chen et al., *Direct Prediction of Phonon Density of States With Euclidean Neural Networks*, Adv. Sci. 8, 2004214
(2021), doi 10.1002/advs.202004214; densities of states by Petretto et al., *High-throughput density-functional
perturbation theory phonons for inorganic materials*, Sci. Data 5, 180065 (2018), doi 10.1038/sdata.2018.65.
"""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pymatgen.core import Element, Structure

from stages.shared.sources.csv_table import iterate_csv
from stages.shared.sources.files import BrokenFile, find_raw_file, iterate_lines
from stages.shared.sources.projections import Projections, normalised_projections_of
from stages.shared.sources.record import (
    BadRecord,
    CrystalRecord,
    Fields,
    RawRow,
    Reject,
    Spectrum,
    array_of,
    crystal_structure,
    is_missing,
    shortened,
    spectrum_of,
)

SOURCE = "phonon_tutorial"
TABLE = "phonon_tutorial.csv"
INDEX_FILES = {
    "train": "phonon_tutorial_idx_train.txt",
    "val": "phonon_tutorial_idx_valid.txt",
    "test": "phonon_tutorial_idx_test.txt",
}
FILE_NAMES = (TABLE, *INDEX_FILES.values())
LONGEST_LITERAL = 1 << 20
"""Characters; Python takes about a hundred bytes of memory for each while it reads a literal."""


def rows(folder: Path) -> Iterator[RawRow | Reject]:
    """Yield one row per row of the table, its literals unread; nothing where the folder has no such file."""
    for number, cells in _numbered_rows(folder):
        if isinstance(cells, str):
            yield Reject(SOURCE, f"row {number}", cells)
        else:
            yield RawRow(SOURCE, f"row {number}", {SOURCE: cells})


def _numbered_rows(folder: Path) -> Iterator[tuple[int, dict[str, str] | str]]:
    """Yield the rows with their numbers from 0, the reason instead of a row that cannot be read."""
    path = find_raw_file(folder, TABLE)
    if path is None:
        return
    number = -1
    try:
        for number, cells in enumerate(iterate_csv(path)):
            yield number, cells
    except BrokenFile as error:
        yield number + 1, str(error)


def parse(row: RawRow) -> CrystalRecord:
    """Return the crystal of one row with its phonon DOS, in total and by element.

    How the elements share the states is lost by the normalisation in the file; it is found anew from the total.

    Raises:
        BadRecord: no `mp_id`, or no usable structure.
    """
    fields = Fields(row.parts[SOURCE])
    source_id = fields.text("mp_id")
    if source_id is None:
        raise BadRecord("the row has no mp_id")
    try:
        structure = _structure(_literal(fields.values.get("structure"), "the structure"))
    except BadRecord as error:
        raise BadRecord(str(error), source_id) from None
    phdos = fields.parsed("phdos", lambda density: _phonon_dos(fields.values.get("phfreq"), density))
    projected = None if phdos is None else fields.parsed("pdos", lambda text: _projected(text, phdos, structure))
    return CrystalRecord(
        source_id=source_id, structure=structure, phdos=phdos, phdos_projected=projected, notes=tuple(fields.notes)
    )


def _structure(atoms: Any) -> Structure:
    """Read the dictionary of an `ase.Atoms`: cartesian `positions` (n_sites, 3) and `cell` (3, 3) in Å."""
    if not isinstance(atoms, Mapping) or "numbers" not in atoms:
        raise BadRecord("the row has no structure")
    numbers = array_of(atoms["numbers"], "the list of atomic numbers", (None,))
    if not all(float(number).is_integer() and Element.is_valid_symbol(_symbol(int(number))) for number in numbers):
        raise BadRecord(f"there is an unknown atomic number in {shortened(atoms['numbers'])}")
    if (periodic := atoms.get("pbc", True)) not in (True, [True] * 3, (True,) * 3):
        raise BadRecord(f"the structure is not periodic in three dimensions: pbc is {shortened(periodic)}")
    species = [{_symbol(int(number)): 1.0} for number in numbers]
    return crystal_structure(atoms.get("cell"), species, atoms.get("positions"), cartesian=True)


def _symbol(atomic_number: int) -> str:
    """Return the symbol of an element, no valid one for a number that no element has."""
    try:
        return str(Element.from_Z(atomic_number).symbol)
    except ValueError:
        return ""


def _phonon_dos(frequencies: Any, density: Any) -> Spectrum:
    what = "phonon DOS"
    axis = _literal(frequencies, f"the axis of the {what}")
    return spectrum_of(axis, _literal(density, f"the {what}"), what)


def _projected(text: str, total: Spectrum, structure: Structure) -> Projections | None:
    what = "phonon DOS"
    return normalised_projections_of(_literal(text, f"the {what} by element"), total, structure, what)


def _literal(text: Any, what: str) -> Any:
    """Return the value a Python literal stands for; nothing in it is run.

    Raises:
        BadRecord: it is missing, too long or no literal.
    """
    if is_missing(text):
        raise BadRecord(f"{what} is missing")
    if len(text) > LONGEST_LITERAL:
        raise BadRecord(f"{what} has {len(text)} characters, more than {LONGEST_LITERAL}")
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise BadRecord(f"{what} is no complete Python literal: {shortened(text)}") from None


def published_split(folder: Path) -> dict[str, str]:
    """Return 'train', 'val' or 'test' by `mp_id`, as the index files in the folder say.

    Of two rows with one `mp_id` the first counts, as it does in the table of crystals.

    Raises:
        BrokenFile: the table or an index file is missing, or an index file holds something else than row numbers.
    """
    split_of_row: dict[int, str] = {}
    for split, name in INDEX_FILES.items():
        for number in _row_numbers(folder, name):
            if split_of_row.setdefault(number, split) != split:
                raise BrokenFile(f"row {number} is in the index files {split_of_row[number]} and {split} of {SOURCE}")
    splits: dict[str, str | None] = {}
    n_rows = 0
    for number, cells in _numbered_rows(folder):
        n_rows = number + 1
        if isinstance(cells, dict) and (source_id := Fields(cells).text("mp_id")) is not None:
            splits.setdefault(source_id, split_of_row.get(number))
    if n_rows <= max(split_of_row, default=-1):
        raise BrokenFile(f"{TABLE} has {n_rows} rows, but its index files name row {max(split_of_row)}")
    return {source_id: split for source_id, split in splits.items() if split is not None}


def _row_numbers(folder: Path, name: str) -> list[int]:
    path = find_raw_file(folder, name)
    if path is None:
        raise BrokenFile(f"{folder} holds no {name}")
    lines = [line.strip() for line in iterate_lines(path)]
    if bad := next((line for line in lines if not line.isdecimal()), None):
        raise BrokenFile(f"{path.name} holds {shortened(bad)}, which is no row number")
    return [int(line) for line in lines]
