"""Densities of states of the Materials Project, which lie in Delta tables of its public bucket at Amazon.

The tables are those that mp-api's `get_dos_from_task_id` and `get_dos_from_phonon_id` ask, one row at a time; here a
question is about many rows. `XTALK_MATERIALS_PROJECT_TABLES_ENDPOINT` names another address that speaks S3.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stages.fetch.retries import PATIENT, RetryPolicy, TemporaryFailure, persevere
from stages.shared.errors import StageError

if TYPE_CHECKING:
    from deltalake import DeltaTable

SERVICE = "the bucket of the Materials Project"
ELECTRON_TABLE = "s3a://materialsproject-parsed/core/electronic-structure/total-dos/"
PHONON_TABLE = "s3a://materialsproject-parsed/phonon/electronic-structure/dos/"
PHONON_METHODS = ("dfpt", "pheasy", "phonopy")
"""In the order in which they are taken where a material has several."""


@dataclass(frozen=True)
class SpectraTable:
    """One of the tables, opened.

    Args:
        table: the snapshot that all questions are put to.
        columns: what of a row is asked for, in SQL.
        policy: how often to try.
    """

    table: "DeltaTable"
    columns: str
    policy: RetryPolicy

    def rows(self, identifiers: Sequence[str]) -> list[dict[str, Any]]:
        """Return the rows with the given identifiers, which `identifier_of` has made, in any order.

        Raises:
            StageError: the bucket cannot be read.
        """
        return persevere(lambda: list(self._query(identifiers)), SERVICE, self.policy)

    def _query(self, identifiers: Sequence[str]) -> Iterator[dict[str, Any]]:
        import pyarrow as pa
        from deltalake import QueryBuilder

        names = ", ".join(f"'{one}'" for one in identifiers)
        query = f"SELECT identifier, {self.columns} FROM spectra WHERE identifier IN ({names})"  # noqa: S608
        try:
            for batch in QueryBuilder().register("spectra", self.table).execute(query):
                yield from pa.record_batch(batch).to_pylist()
        except Exception as error:  # the query engine raises nothing more special
            raise TemporaryFailure(f"a query broke off ({_first_line(error)})") from None


def identifier_of(task_id: str) -> str | None:
    """Return what the tables call a calculation, the letters that emmet makes of `mp-149`; None for what is no id."""
    from emmet.core.mpid import AlphaID

    last = task_id.rpartition("-")[2]
    return str(AlphaID(last, padlen=8)) if re.fullmatch(r"[a-z]+|\d+", last) else None


def open_electron_table(policy: RetryPolicy = PATIENT) -> SpectraTable:
    """Open the table of electron DOS; its rows have `energies` (eV, absolute), `efermi` and a density per spin.

    Raises:
        StageError: the bucket cannot be reached, or the table is another one than it was.
    """
    names = ("energies", "efermi", "spin_up_densities", "spin_down_densities")
    return SpectraTable(_open(ELECTRON_TABLE, names, policy), ", ".join(names), policy)


def open_phonon_table(policy: RetryPolicy = PATIENT) -> SpectraTable:
    """Open the table of phonon DOS; its rows have `phonon_method`, `frequencies` (THz) and `densities`.

    Raises:
        StageError: the bucket cannot be reached, or the table is another one than it was.
    """
    columns = "phonon_method, dos['frequencies'] AS frequencies, dos['densities'] AS densities"
    return SpectraTable(_open(PHONON_TABLE, ("phonon_method", "dos"), policy), columns, policy)


def _open(address: str, names: Sequence[str], policy: RetryPolicy) -> "DeltaTable":
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError, TableNotFoundError

    def attempt() -> DeltaTable:
        try:
            return DeltaTable(address, storage_options=_storage_options(policy))
        except TableNotFoundError:
            raise StageError(f"{SERVICE} has no table {address}: it may have moved, and mp-api with it") from None
        except (DeltaError, OSError) as error:
            reason = f"no table of it can be opened ({_first_line(error)})"
            raise TemporaryFailure(reason, answered=False) from None

    table = persevere(attempt, SERVICE, policy)
    missing = {"identifier", *names} - {field.name for field in table.schema().fields}
    if missing:
        raise StageError(f"the table {address} has no {', '.join(sorted(missing))} any more")
    return table


def _storage_options(policy: RetryPolicy) -> dict[str, str]:
    options = {
        "AWS_SKIP_SIGNATURE": "true",  # the bucket is open to everybody
        "AWS_REGION": "us-east-1",
        "connect_timeout": f"{policy.connect_timeout:g}s",
        "timeout": f"{policy.read_timeout:g}s",
        "max_retries": "1",
    }
    endpoint = os.environ.get("XTALK_MATERIALS_PROJECT_TABLES_ENDPOINT")
    return options if endpoint is None else options | {"AWS_ENDPOINT_URL": endpoint, "AWS_ALLOW_HTTP": "true"}


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
