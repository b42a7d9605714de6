"""Collect the crystals of all sources: unique ids, narratives joined to the crystals they tell of."""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from stages.generate_cif.crystals import Crystal, Rejection, crystal_from_row
from stages.generate_cif.ledger import Ledger
from stages.generate_cif.matching import MatchTask, matching_crystals
from stages.shared.parallel import map_ordered
from stages.shared.params import GenerateCifParams
from stages.shared.sources import narratives
from stages.shared.sources.registry import SOURCES

_ROWS_IN_MEMORY = 8192
"""Raw rows read ahead of the worker processes."""


def collect_crystals(raw: Path, params: GenerateCifParams) -> tuple[list[Crystal], Ledger]:
    """Read `raw/<source>/` of every source and return the crystals, sorted by material id, and the books.

    Of two rows with one id the first counts. Narratives come last and go to the crystals of the other sources where
    formula, space group and structure agree; the others become crystals of their own.
    """
    ledger = Ledger()
    known: dict[str, Crystal] = {}
    for source in SOURCES:
        ledger.of(source)
        found = unique_crystals(crystals_of(source, raw / source, params), known, ledger)
        if source == narratives.SOURCE:
            join_narratives(found, known, ledger, params.chunk_size)
        else:
            for crystal in found:
                known[crystal.source_id] = crystal
                ledger.accept(crystal)
    return [known[material_id] for material_id in sorted(known)], ledger


def crystals_of(source: str, folder: Path, params: GenerateCifParams) -> Iterator[Crystal | Rejection]:
    """Yield what became of each raw row of a source, in file order."""
    work = partial(
        crystal_from_row,
        symmetry_tolerance=params.symmetry_tolerance,
        max_atoms=params.max_atoms,
    )
    rows = SOURCES[source].rows(folder)
    while batch := list(itertools.islice(rows, _ROWS_IN_MEMORY)):
        yield from map_ordered(work, batch, params.chunk_size, f"generate_cif {source}")


def unique_crystals(results: Iterator[Crystal | Rejection], known: dict[str, Crystal], ledger: Ledger) -> list[Crystal]:
    """Book the rejections, and every crystal whose id an earlier row of its source has; return the others.

    A narrative may carry the id of a crystal of another source: then it must turn out to be that crystal.
    """
    unique: dict[str, Crystal] = {}
    for result in results:
        if isinstance(result, Rejection):
            ledger.reject(result)
        elif result.source_id in unique:
            ledger.reject(_rejection(result, "duplicate: an earlier row has this id"))
        elif result.source_id in known and result.source != narratives.SOURCE:
            owner = known[result.source_id].source
            ledger.reject(_rejection(result, f"duplicate: a crystal of {owner} has this id"))
        else:
            unique[result.source_id] = result
    return list(unique.values())


def join_narratives(rows: Sequence[Crystal], known: dict[str, Crystal], ledger: Ledger, chunk_size: int) -> None:
    """Give each narrative to the crystal it tells of, or add it to `known` as a crystal of its own.

    Of several crystals that match, the first by id without a narrative gets it; where all have one, the narrative is
    merged and noted, since a crystal keeps its first text.
    """
    matches = _matches(rows, known, chunk_size)
    for row in rows:
        candidates = [known[material_id] for material_id in matches[row.source_id]]
        free = [one for one in candidates if not _has_narrative(one)]
        if free:
            texts = {key: row.columns[key] for key in ("narrative", "explanation")}
            known[free[0].source_id] = _with_columns(free[0], texts)
        if candidates:
            ledger.merge(row)
            for note in row.notes:
                ledger.note(row, note)
            if not free:
                ids = ", ".join(one.source_id for one in candidates)
                ledger.note(row, f"text not used: {ids} has a narrative already")
        elif row.source_id in known:
            owner = known[row.source_id].source
            ledger.reject(_rejection(row, f"the crystal of {owner} with this id is another one"))
        else:
            known[row.source_id] = row
            ledger.accept(row)


def _matches(rows: Sequence[Crystal], known: dict[str, Crystal], chunk_size: int) -> dict[str, list[str]]:
    """Return, by narrative id, the ids of the known crystals with the same structure, sorted."""
    crystals_by_key: dict[tuple[str, int], list[str]] = defaultdict(list)
    for material_id in sorted(known):
        crystals_by_key[_key(known[material_id])].append(material_id)
    rows_by_key: dict[tuple[str, int], list[Crystal]] = defaultdict(list)
    for row in rows:
        rows_by_key[_key(row)].append(row)
    matches: dict[str, list[str]] = {row.source_id: [] for row in rows}
    shared = [key for key in rows_by_key if key in crystals_by_key]
    tasks = [
        MatchTask(
            [row.columns["cif"] for row in rows_by_key[key]],
            [known[material_id].columns["cif"] for material_id in crystals_by_key[key]],
        )
        for key in shared
    ]
    found = map_ordered(matching_crystals, tasks, chunk_size, "generate_cif narrative matching")
    for key, places_by_row in zip(shared, found, strict=True):
        for row, places in zip(rows_by_key[key], places_by_row, strict=True):
            matches[row.source_id] = [crystals_by_key[key][place] for place in places]
    return matches


def _key(crystal: Crystal) -> tuple[str, int]:
    return crystal.columns["formula"], crystal.columns["space_group_number"]


def _has_narrative(crystal: Crystal) -> bool:
    return any(crystal.columns[key] is not None for key in ("narrative", "explanation"))


def _with_columns(crystal: Crystal, columns: dict[str, object]) -> Crystal:
    return replace(crystal, columns={**crystal.columns, **columns})


def _rejection(crystal: Crystal, reason: str) -> Rejection:
    return Rejection(crystal.source, crystal.source_id, crystal.files, reason)
