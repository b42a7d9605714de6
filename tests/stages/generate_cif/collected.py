"""The crystals of some raw files in memory, as tests like to look at them."""

from contextlib import closing
from pathlib import Path

from stages.generate_cif.collect import collect_crystals
from stages.generate_cif.crystals import Crystal
from stages.generate_cif.ledger import Ledger
from stages.generate_cif.store import CrystalStore
from stages.shared.params import GenerateCifParams


def collected(raw: Path, params: GenerateCifParams) -> tuple[list[Crystal], Ledger]:
    """Return the crystals, sorted by id, and the books."""
    with closing(CrystalStore()) as store:
        ledger = collect_crystals(raw, params, store)
        return list(store.sorted_by_id()), ledger
