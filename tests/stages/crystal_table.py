"""A table of crystals for the tests of the stages that read nothing but structures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pymatgen.core import Structure

from stages.shared.schemas import CRYSTALS_SCHEMA
from stages.shared.structures import structure_to_cif
from stages.shared.tables import write_table


def write_crystals(
    path: Path, crystals: Mapping[str, Structure | str], split_of: Mapping[str, str | None] | None = None
) -> None:
    """Write structures, or CIF texts, by their names; all in the train split but for those of `split_of`."""
    columns: dict[str, list[Any]] = {name: [None] * len(crystals) for name in CRYSTALS_SCHEMA.names}
    cifs = [crystal if isinstance(crystal, str) else structure_to_cif(crystal) for crystal in crystals.values()]
    columns |= {"material_id": list(crystals), "source_id": list(crystals), "cif": cifs}
    columns |= {"source": ["test"] * len(crystals), "split": [(split_of or {}).get(name, "train") for name in crystals]}
    write_table(path, columns, CRYSTALS_SCHEMA)
