"""Materials Project: documents with structure, properties, description and both densities of states, one a line.

First the ids of all materials that pass the filters, then their documents, then the spectra, each in pages that stay in
the scratch folder: a run that is killed goes on behind the last page. A new version of the database starts anew.

Jain et al., *Commentary: The Materials Project*, APL Materials 1, 011002 (2013), doi 10.1063/1.4812323.
"""

import gzip
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from pymatgen.core import Element

from stages.fetch.manifest import Facts, write_manifest
from stages.fetch.materials_project_api import IDS_PER_PAGE, MaterialsProjectApi, connect
from stages.fetch.materials_project_tables import (
    PHONON_METHODS,
    SpectraTable,
    identifier_of,
    open_electron_table,
    open_phonon_table,
)
from stages.fetch.page_cache import PageCache
from stages.shared.atomic import atomic_file
from stages.shared.errors import StageError
from stages.shared.params import MaterialsProjectFetchParams
from stages.shared.progress import progress, say
from stages.shared.sources.materials_project import FILE_NAMES

THREADS = 4
"""Questions in flight at once; the Materials Project asks for no more."""
DOCUMENTS_PER_PAGE = 200
SPECTRA_PER_PAGE = 500


def download(params: MaterialsProjectFetchParams, folder: Path, scratch: Path) -> dict[str, Facts]:
    """Write `materials_project.jsonl.gz`, sorted by material_id, and `manifest.json` with the database version.

    Args:
        params: the filters, and which spectra are wanted.
        folder: for the raw files.
        scratch: keeps the pages that have come.

    Raises:
        StageError: no key, an unknown element, or the Materials Project cannot be reached or refuses.
    """
    unknown = [symbol for symbol in params.elements if not Element.is_valid_symbol(symbol)]
    if unknown:
        raise StageError(f"fetch.materials_project.elements names {', '.join(unknown)}, which is no element")
    api = connect()
    version = api.database_version
    say(f"materials_project: database version {version}")
    with closing(PageCache(scratch / f"pages-{re.sub(r'[^0-9A-Za-z.-]', '_', version)}.sqlite")) as cache:
        fetch_ids(api, params, cache)
        fetch_documents(api, params, cache)
        if "electron_dos" in params.spectra:
            fetch_spectra("electron_dos", open_electron_table, cache)
        if "phonon_dos" in params.spectra:
            fetch_spectra("phonon_dos", open_phonon_table, cache)
        name = f"{FILE_NAMES[0]}.gz"
        write_documents(cache, folder / name)
    return write_manifest(folder, {name: {"database_version": version}})


def fetch_ids(api: MaterialsProjectApi, params: MaterialsProjectFetchParams, cache: PageCache) -> None:
    """Put the ids of all materials that pass the filters into the cache, as kind `id`."""
    page, size = 0, IDS_PER_PAGE
    while size == IDS_PER_PAGE:
        page += 1
        known_size = cache.page_size("id", page)
        if known_size is None:
            ids = api.material_ids(params, page)
            cache.add_page("id", page, len(ids), {"id": dict.fromkeys(ids)})
            known_size = len(ids)
        size = known_size
    say(f"materials_project: {cache.count('id')} materials pass the filters")


def fetch_documents(api: MaterialsProjectApi, params: MaterialsProjectFetchParams, cache: PageCache) -> None:
    """Put the documents of these materials into the cache, and as kind `<spectrum>_id` which spectra belong to them."""

    def ask(ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        tasks = api.electron_dos_tasks(ids) if "electron_dos" in params.spectra else {}
        descriptions = api.descriptions(ids)
        documents = {
            one: document_of(summary, descriptions.get(one), tasks.get(one), "phonon_dos" in params.spectra)
            for one, summary in api.summaries(ids).items()
        }
        wanted = {
            f"{kind}_id": {document[f"{kind}_id"]: None for document in documents.values() if document[f"{kind}_id"]}
            for kind in ("electron_dos", "phonon_dos")
        }
        return {"document": documents, **wanted}

    fetch_pages("document", batched(cache.ids("id"), DOCUMENTS_PER_PAGE), ask, cache, THREADS)


def document_of(
    summary: Mapping[str, Any], description: str | None, electron_dos_task: str | None, with_phonons: bool
) -> dict[str, Any]:
    """Return one line of the raw file, with the names of its spectra in the place of the spectra.

    Args:
        summary: of the interface.
        description: robocrystallographer's text.
        electron_dos_task: the calculation of the electron DOS.
        with_phonons: whether to name a phonon DOS, the first of the first method in `PHONON_METHODS`.
    """
    document = {name: value for name, value in summary.items() if name != "phonon_IDs"}
    by_method = (summary.get("phonon_IDs") or {}) if with_phonons else {}
    phonon_ids = (
        f"{identifier}/{method}"
        for method in PHONON_METHODS
        for identifier in map(identifier_of, by_method.get(method) or ())
        if identifier
    )
    return {
        **document,
        "description": description,
        "electron_dos_id": identifier_of(electron_dos_task) if electron_dos_task else None,
        "phonon_dos_id": next(phonon_ids, None),
    }


def fetch_spectra(kind: str, open_table: Callable[[], SpectraTable], cache: PageCache) -> None:
    """Put the spectra of a kind that the documents name into the cache, under these names."""
    if cache.count(f"{kind}_id") == 0:
        return
    table = open_table()

    def ask(names: Sequence[str]) -> dict[str, dict[str, Any]]:
        rows = table.rows([name.partition("/")[0] for name in names])
        by_name = {"/".join(filter(None, (row["identifier"], row.get("phonon_method")))): row for row in rows}
        return {kind: {name: by_name[name] for name in names if name in by_name}}

    # one at a time: a query of the table keeps all cores busy by itself
    fetch_pages(kind, batched(cache.ids(f"{kind}_id"), SPECTRA_PER_PAGE), ask, cache, n_threads=1)
    missing = cache.count(f"{kind}_id") - cache.count(kind)
    if missing:
        say(f"materials_project: {missing} spectra ({kind}) are named, but not in the table")


def fetch_pages(
    kind: str,
    pages: Iterable[Sequence[str]],
    ask: Callable[[Sequence[str]], Mapping[str, Mapping[str, Any]]],
    cache: PageCache,
    n_threads: int,
) -> None:
    """Ask for all pages of a kind that are not in the cache yet, and put them there as they come.

    Args:
        kind: of the pages.
        pages: the ids of each.
        ask: returns the records of a page, by their kind and id.
        cache: takes them.
        n_threads: questions in flight at once.
    """
    missing = [(number, ids) for number, ids in enumerate(pages, start=1) if cache.page_size(kind, number) is None]
    answers = answer_all(ask, missing, n_threads)
    for number, size, records in progress(answers, f"materials_project: pages of kind {kind}", len(missing)):
        cache.add_page(kind, number, size, records)


def answer_all(
    ask: Callable[[Sequence[str]], Mapping[str, Mapping[str, Any]]],
    pages: Iterable[tuple[int, Sequence[str]]],
    n_threads: int,
) -> Iterator[tuple[int, int, Mapping[str, Mapping[str, Any]]]]:
    """Yield number, length and answer of each page, in the order in which they come, `n_threads` asked for at once."""
    waiting = iter(pages)
    running: dict[Future[Mapping[str, Mapping[str, Any]]], tuple[int, int]] = {}
    with ThreadPoolExecutor(n_threads) as pool:
        while True:
            for number, ids in islice(waiting, n_threads - len(running)):
                running[pool.submit(ask, ids)] = (number, len(ids))
            if not running:
                return
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                number, size = running.pop(done)
                yield number, size, done.result()


def write_documents(cache: PageCache, path: Path) -> None:
    """Write the documents with their spectra, one a line, sorted by material_id, packed."""
    with (
        atomic_file(path) as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed,
    ):
        ids = progress(cache.ids("document"), "materials_project: write documents", cache.count("document"))
        for material_id in ids:
            document = cache.get("document", material_id)
            electron_dos = cache.get("electron_dos", document.pop("electron_dos_id") or "")
            phonon_dos = cache.get("phonon_dos", document.pop("phonon_dos_id") or "")
            document["dos"] = None if electron_dos is None else electron_dos_of(electron_dos)
            document["phonon_dos"] = phonon_dos and {name: phonon_dos[name] for name in ("frequencies", "densities")}
            packed.write(json.dumps(document, sort_keys=True).encode() + b"\n")


def electron_dos_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of the table of electron DOS as pymatgen's dictionary of a `Dos` has it, by spin "1" and "-1"."""
    spins = {"1": row["spin_up_densities"], "-1": row["spin_down_densities"]}
    densities = {spin: values for spin, values in spins.items() if values}
    return {"efermi": row["efermi"], "energies": row["energies"], "densities": densities}


def batched(items: Iterator[str], size: int) -> Iterator[list[str]]:
    """Yield lists of `size` items, the last may be shorter."""
    while page := list(islice(items, size)):
        yield page
