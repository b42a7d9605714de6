"""Each import in a process of its own, since a package is imported once."""

import json
import subprocess
import sys

from tests.stages.raw_records import ROOT

DESCRIBE = """
import json, sys
if sys.argv[1] == "plain":
    import robocrys
from pymatgen.core import Lattice, Structure
from stages.describe.robocrystallographer import Robocrystallographer
import inflect, pymatgen.util.provenance, typeguard
salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.69), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
fluorite = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.46), ["Ca", "F"], [[0, 0, 0], [0.25, 0.25, 0.25]])
describer = Robocrystallographer()
print(json.dumps({
    "texts": [describer.describe(one) for one in (salt, fluorite)],
    "checks citations": not pymatgen.util.provenance.is_valid_bibtex("no citation"),
    "checks types": typeguard.typechecked.__module__.startswith("typeguard"),
    "inflect checks itself": "check_argument_types_internal" in inflect.engine.plural.__code__.co_names,
}))
"""


def _described(how: str) -> dict[str, object]:
    command = [sys.executable, "-c", DESCRIBE, how]
    run = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    return dict(json.loads(run.stdout))


def test_without_self_checks_the_words_are_the_same_and_the_checks_are_back_afterwards() -> None:
    plain, quick = _described("plain"), _described("quick")
    assert quick["texts"] == plain["texts"]
    assert "Halite" in str(plain["texts"])
    assert (plain["inflect checks itself"], quick["inflect checks itself"]) == (True, False)
    assert quick["checks citations"]
    assert quick["checks types"]
