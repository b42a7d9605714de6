"""Questions to the interface of the Materials Project, asked through its own client, mp-api.

Jain et al., *Commentary: The Materials Project*, APL Materials 1, 011002 (2013), doi 10.1063/1.4812323.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stages.fetch.http import fetch_json
from stages.fetch.retries import PATIENT, RetryPolicy, TemporaryFailure, persevere
from stages.fetch.session import CheckedSession, host_of
from stages.shared.errors import StageError
from stages.shared.params import MaterialsProjectFetchParams

ENDPOINT = "https://api.materialsproject.org"
KEY_LENGTH = 32
IDS_PER_PAGE = 1000
SUMMARY_FIELDS = (
    "material_id",
    "formula_pretty",
    "symmetry",
    "structure",
    "energy_per_atom",
    "formation_energy_per_atom",
    "energy_above_hull",
    "band_gap",
    "bulk_modulus",
    "shear_modulus",
    "total_magnetization",
    "phonon_IDs",
)
"""Of a summary document; `bulk_modulus` and `shear_modulus` are the averages of the elasticity document, GPa."""
PROPERTY_NAMES = {"electron_dos": "dos", "phonon_dos": "phonon", "elasticity": "elasticity"}
"""What the interface calls what a material may be required to have."""


class MaterialsProjectApi:
    """The interface, reached and logged in to; its methods may be called from several threads at once.

    Failures of the line and of the service are tried again here, not by mp-api, which would wait for however long a
    service asks.

    Args:
        key: of an account, sent in a header and kept nowhere else.
        endpoint: address of the interface.
        policy: how often to try.

    Raises:
        StageError: mp-api is not installed, or the interface cannot be reached or refuses.
    """

    def __init__(self, key: str, endpoint: str, policy: RetryPolicy = PATIENT) -> None:
        try:
            from mp_api.client import MPRester
        except ImportError:
            raise StageError(
                "the Materials Project needs the package mp-api: pip install -r requirements-extra.txt"
            ) from None
        self._host, self._policy = host_of(endpoint), policy
        heartbeat = fetch_json(f"{endpoint}/heartbeat", policy=policy)
        self.database_version = str(heartbeat.get("db_version", "")) if isinstance(heartbeat, dict) else ""
        if not self.database_version:
            raise StageError(f"{self._host} does not tell its database version: is it the Materials Project?")
        session = CheckedSession(policy)
        session.headers["x-api-key"] = key
        materials = self._ask(
            lambda: (
                MPRester(
                    key, endpoint=endpoint, session=session, use_document_model=False, mute_progress_bars=True
                ).materials
            )
        )
        # made here, before there are threads
        self._summary = materials.summary
        self._robocrys = materials.robocrys
        self._electronic_structure = materials.electronic_structure

    def material_ids(self, params: MaterialsProjectFetchParams, page: int) -> list[str]:
        """Return a page of `IDS_PER_PAGE` ids of the materials that pass the filters; the last page is shorter.

        Args:
            params: the filters.
            page: counted from 1.
        """
        hull = params.max_energy_above_hull
        documents = self._ask(
            lambda: self._summary.search(
                deprecated=False,
                elements=params.elements or None,
                num_sites=tuple(params.n_atoms),
                energy_above_hull=None if hull is None else (0.0, hull),
                has_props=[PROPERTY_NAMES[name] for name in params.required] or None,
                fields=["material_id"],
                chunk_size=IDS_PER_PAGE,
                num_chunks=1,
                _page=page,
                _sort_fields="material_id",
            )
        )
        return [str(document["material_id"]) for document in documents]

    def summaries(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """Return the summary documents of some materials by id, with `SUMMARY_FIELDS`, as the interface sends them."""
        search = self._summary.search
        return self._by_id(lambda: search(material_ids=list(ids), fields=list(SUMMARY_FIELDS), **_one_page(ids)))

    def descriptions(self, ids: Sequence[str]) -> dict[str, str]:
        """Return robocrystallographer's texts of some materials by id, of those that have one."""
        search, fields = self._robocrys.search_docs, ["material_id", "description"]
        documents = self._by_id(lambda: search(material_ids=list(ids), fields=fields, **_one_page(ids)))
        return {one: document["description"] for one, document in documents.items() if document.get("description")}

    def electron_dos_tasks(self, ids: Sequence[str]) -> dict[str, str]:
        """Return the ids of the calculations of the electron DOS of some materials by id, of those that have one."""
        search, fields = self._electronic_structure.search, ["material_id", "dos"]
        documents = self._by_id(lambda: search(material_ids=list(ids), fields=fields, **_one_page(ids)))
        tasks = {one: (document.get("dos") or {}).get("task_id") for one, document in documents.items()}
        return {one: str(task) for one, task in tasks.items() if task}

    def _by_id(self, search: Callable[[], Any]) -> dict[str, Any]:
        return {str(document["material_id"]): document for document in self._ask(search)}

    def _ask(self, search: Callable[[], Any]) -> Any:
        from mp_api.client.core import MPRestError

        def attempt() -> Any:
            try:
                return search()
            except MPRestError as error:
                raise StageError(f"{self._host} does not understand mp-api: {str(error).splitlines()[0]}") from None
            except (ValueError, KeyError, TypeError, AttributeError):  # of JSON, or of something else than documents
                raise TemporaryFailure("its answer is no complete list of documents") from None

        return persevere(attempt, self._host, self._policy)


def connect() -> MaterialsProjectApi:
    """Log in with the key in `MP_API_KEY`, at the address in `XTALK_MATERIALS_PROJECT_ENDPOINT` or the public one.

    Raises:
        StageError: there is no key, or it is none; and as `MaterialsProjectApi`.
    """
    key = os.environ.get("MP_API_KEY", "").strip()
    if len(key) != KEY_LENGTH:
        found = f"holds {len(key)}" if key else "holds none"
        raise StageError(
            f"the Materials Project needs a key of {KEY_LENGTH} characters in MP_API_KEY, which {found}; "
            "next-gen.materialsproject.org/api gives one to everybody with an account"
        )
    return MaterialsProjectApi(key, os.environ.get("XTALK_MATERIALS_PROJECT_ENDPOINT", ENDPOINT).rstrip("/"))


def _one_page(ids: Sequence[str]) -> dict[str, int]:
    return {"chunk_size": len(ids), "num_chunks": 1}
