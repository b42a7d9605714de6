"""The crystals of some raw files in memory, as tests like to look at them."""

from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from stages.generate_cif.collect import collect_crystals
from stages.generate_cif.crystals import Crystal
from stages.generate_cif.ledger import Ledger
from stages.generate_cif.store import CrystalStore
from stages.shared.params import GenerateCifParams


@dataclass
class ListedLedger(Ledger):
    """Books whose lines stay in memory."""

    rejected: list[tuple[str, str, str, str]] = field(default_factory=list)
    notes: list[tuple[str, str, str, str]] = field(default_factory=list)


def collected(raw: Path, params: GenerateCifParams) -> tuple[list[Crystal], ListedLedger]:
    """Return the crystals, sorted by id, and the books."""
    ledger = ListedLedger()
    with closing(CrystalStore()) as store:
        collect_crystals(raw, params, store, ledger)
        return list(store.sorted_by_id()), ledger
