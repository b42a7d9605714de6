"""Collect the crystals of all sources: unique ids, narratives joined to the crystals they tell of."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from itertools import tee
from pathlib import Path

from stages.generate_cif.crystals import Crystal, Rejection, crystal_from_row
from stages.generate_cif.ledger import Ledger
from stages.generate_cif.matching import MatchTask, matching_crystals
from stages.generate_cif.store import CrystalStore
from stages.shared.parallel import map_ordered
from stages.shared.params import GenerateCifParams
from stages.shared.sources import narratives
from stages.shared.sources.registry import SOURCES


def collect_crystals(raw: Path, params: GenerateCifParams, store: CrystalStore, ledger: Ledger) -> None:
    """Read `raw/<source>/` of every source, put the crystals into the store and keep the books.

    Of two rows with one id the first counts; one of another source that is the same crystal fills in what the first
    lacks. Narratives come last and go to the crystals of the other sources where
    formula, space group and structure agree; the others become crystals of their own.
    """
    for source in SOURCES:
        ledger.of(source)
        found = crystals_of(source, raw / source, params)
        if source == narratives.SOURCE:
            with closing(CrystalStore()) as texts:
                for crystal in unique_crystals(found, texts, ledger):
                    texts.add(crystal)
                find_matches(texts, store, params.chunk_size)
                join_narratives(texts, store, ledger)
        else:
            for crystal in unique_crystals(found, store, ledger):
                store.add(crystal)
                ledger.accept(crystal)


def crystals_of(source: str, folder: Path, params: GenerateCifParams) -> Iterator[Crystal | Rejection]:
    """Yield what became of each raw row of a source, in file order."""
    work = partial(
        crystal_from_row,
        symmetry_tolerance=params.symmetry_tolerance,
        max_atoms=params.max_atoms,
    )
    rows = SOURCES[source].rows(folder)
    return map_ordered(work, rows, params.chunk_size, f"generate_cif {source}", at_once=True)


def unique_crystals(results: Iterator[Crystal | Rejection], known: CrystalStore, ledger: Ledger) -> Iterator[Crystal]:
    """Yield the crystals whose id is not in `known`; complete those that are by the others, and book the rejections.

    Each crystal must be added to `known` before the next is asked for. Narratives have a store of their own, since one
    may carry the id of a crystal of another source: it must then turn out to be that crystal.
    """
    for result in results:
        if isinstance(result, Rejection):
            ledger.reject(result)
            continue
        owner = known.source_of(result.source_id)
        if owner is None:
            yield result
        elif owner == result.source:
            ledger.reject(_rejection(result, "duplicate: an earlier row has this id"))
        elif known.complete(result):
            ledger.merge(result)
        else:
            ledger.reject(_rejection(result, f"the crystal of {owner} with this id is another one"))


def find_matches(texts: CrystalStore, known: CrystalStore, chunk_size: int) -> None:
    """Note for each narrative the known crystals with the same formula, space group and structure."""
    pairs = ((texts.cifs_of(*key), known.cifs_of(*key)) for key in texts.structure_keys())
    groups, to_compare = tee(pair for pair in pairs if pair[1])
    tasks = (MatchTask(list(told.values()), list(there.values())) for told, there in to_compare)
    found = map_ordered(matching_crystals, tasks, chunk_size, "generate_cif narrative matching")
    for (told, there), places_by_narrative in zip(groups, found, strict=True):
        known_ids = list(there)
        for narrative_id, places in zip(told, places_by_narrative, strict=True):
            for place in places:
                texts.add_match(narrative_id, known_ids[place])


def join_narratives(texts: CrystalStore, known: CrystalStore, ledger: Ledger) -> None:
    """Give each narrative to the crystal it tells of, or add it to `known` as a crystal of its own.

    Of several crystals that match, the first by id without a narrative gets it; where all have one, the narrative is
    merged and noted, since a crystal keeps its first text.
    """
    for row in texts.in_order_of_arrival():
        candidates = texts.matches_of(row.source_id)
        if candidates:
            ledger.merge(row)
            free = next((one for one in candidates if not known.has_narrative(one)), None)
            if free is None:
                ledger.note(row, f"text not used: {', '.join(candidates)} has a narrative already")
            else:
                known.set_texts(free, row)
        elif (owner := known.source_of(row.source_id)) is not None:
            ledger.reject(_rejection(row, f"the crystal of {owner} with this id is another one"))
        else:
            known.add(row)
            ledger.accept(row)


def _rejection(crystal: Crystal, reason: str) -> Rejection:
    return Rejection(crystal.source, crystal.source_id, crystal.files, reason)
