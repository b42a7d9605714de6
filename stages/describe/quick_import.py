"""The import of robocrystallographer in a third of its time, which each worker process takes anew."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import pymatgen.util.provenance
import typeguard

from stages.describe.replacement import replaced

_T = TypeVar("_T")


@contextmanager
def without_self_checks() -> Iterator[None]:
    """Within `with`, what is imported does not check itself.

    pymatgen reads its own library of prototypes and parses the 288 citations in it to see whether they are BibTeX;
    inflect has its own methods rewritten so that they check the types of their arguments. What either does for us
    stays the same.
    """
    with (
        replaced(pymatgen.util.provenance, "is_valid_bibtex", _accept),
        replaced(typeguard, "typechecked", _unchanged),
    ):
        yield


def _accept(reference: str) -> bool:
    return True


def _unchanged(function: _T) -> _T:
    return function
