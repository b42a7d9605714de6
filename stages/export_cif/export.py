"""Find crystals by name in the table of crystals."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import quote

from stages.shared.errors import StageError
from stages.shared.tables import iterate_rows

_NEAREST = 3


def read_cifs(crystals: Path, material_ids: Sequence[str]) -> dict[str, str]:
    """Return the CIF texts of the named crystals, in the order they are named in.

    Args:
        crystals: a table of `CRYSTALS_SCHEMA`; only its ids and one row group of its CIF texts are held in memory.
        material_ids: the names.

    Raises:
        StageError: no crystal has one of the names, or the table does not exist.
    """
    wanted = set(material_ids)
    rows = iterate_rows(crystals, ["material_id", "cif"])
    found = {row["material_id"]: row["cif"] for row in rows if row["material_id"] in wanted}
    for material_id in material_ids:
        if material_id not in found:
            raise StageError(_unknown(material_id, crystals))
    return {material_id: found[material_id] for material_id in material_ids}


def file_name(material_id: str) -> str:
    """Return the name of the CIF file of a crystal: its id, signs that a file name cannot hold written as %2F."""
    return f"{quote(material_id, safe=' ()+,=@')}.cif"


def _unknown(material_id: str, crystals: Path) -> str:
    names = [row["material_id"] for row in iterate_rows(crystals, ["material_id"])]
    nearest = get_close_matches(material_id, names, n=_NEAREST, cutoff=0.0)
    if not nearest:
        return f"there is no crystal {material_id}: {crystals} is empty"
    return f"there is no crystal {material_id} in {crystals}; the nearest names are {', '.join(nearest)}"
