"""The table of phonon densities of states of the e3nn tutorial, and its train, validation and test sets, from GitHub.

Chen et al., *Direct Prediction of Phonon Density of States With Euclidean Neural Networks*, Adv. Sci. 8, 2004214
(2021), doi 10.1002/advs.202004214. `XTALK_GITHUB_RAW_ENDPOINT` names another host of the files.
"""

import os
import shutil
from pathlib import Path

from stages.fetch.http import fetch_file
from stages.fetch.manifest import Facts, write_manifest
from stages.shared.errors import StageError
from stages.shared.params import PhononTutorialFetchParams
from stages.shared.sources.csv_table import iterate_csv
from stages.shared.sources.phonon_tutorial import INDEX_FILES, TABLE

ENDPOINT = "https://raw.githubusercontent.com"
REPOSITORY = "ninarina12/phononDoS_tutorial"
REMOTE_NAMES = {
    TABLE: "data/data.csv",
    INDEX_FILES["train"]: "data/idx_train.txt",
    INDEX_FILES["val"]: "data/idx_valid.txt",
    INDEX_FILES["test"]: "data/idx_test.txt",
}


def download(params: PhononTutorialFetchParams, folder: Path, scratch: Path) -> dict[str, Facts]:
    """Write the table, the three lists of row numbers and `manifest.json`, which holds the revision.

    Args:
        params: the revision.
        folder: for the raw files.
        scratch: keeps what has arrived until all is there.

    Raises:
        StageError: no such revision, GitHub cannot be reached, or what it sends is no such table.
    """
    endpoint = os.environ.get("XTALK_GITHUB_RAW_ENDPOINT", ENDPOINT).rstrip("/")
    for name, remote_name in REMOTE_NAMES.items():
        if not (scratch / name).is_file():
            fetch_file(f"{endpoint}/{REPOSITORY}/{params.revision}/{remote_name}", scratch / name)
    first_row = next(iterate_csv(scratch / TABLE), {})
    if not {"mp_id", "structure", "phfreq", "phdos"} <= set(first_row):
        (scratch / TABLE).unlink()
        raise StageError(
            f"{REMOTE_NAMES[TABLE]} of {REPOSITORY} at revision {params.revision} is not the table of phonon densities "
            "of states; set fetch.phonon_tutorial.revision to main"
        )
    for name in REMOTE_NAMES:
        shutil.move(scratch / name, folder / name)
    return write_manifest(folder, {name: {"revision": params.revision} for name in REMOTE_NAMES})
