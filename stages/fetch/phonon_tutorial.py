"""The table of phonon densities of states of the e3nn tutorial, and its train, validation and test sets, from GitHub.

Chen et al., *Direct Prediction of Phonon Density of States With Euclidean Neural Networks*, Adv. Sci. 8, 2004214
(2021), doi 10.1002/advs.202004214. `XTALK_GITHUB_RAW_ENDPOINT` names another host of the files, and
`XTALK_GITHUB_API_ENDPOINT` another one that tells which commit a branch is.
"""

import os
import re
import shutil
from pathlib import Path

from stages.fetch.http import fetch_file, fetch_json
from stages.fetch.manifest import Facts, write_manifest
from stages.shared.errors import StageError
from stages.shared.params import PhononTutorialFetchParams
from stages.shared.progress import say
from stages.shared.sources.csv_table import iterate_csv
from stages.shared.sources.phonon_tutorial import INDEX_FILES, TABLE

ENDPOINT = "https://raw.githubusercontent.com"
API_ENDPOINT = "https://api.github.com"
REPOSITORY = "ninarina12/phononDoS_tutorial"
REMOTE_NAMES = {
    TABLE: "data/data.csv",
    INDEX_FILES["train"]: "data/idx_train.txt",
    INDEX_FILES["val"]: "data/idx_valid.txt",
    INDEX_FILES["test"]: "data/idx_test.txt",
}


def download(params: PhononTutorialFetchParams, folder: Path, scratch: Path) -> dict[str, Facts]:
    """Write the table, the three lists of row numbers and `manifest.json`, which holds the commit.

    Args:
        params: the revision.
        folder: for the raw files.
        scratch: keeps what has arrived until all is there.

    Raises:
        StageError: no such revision, GitHub cannot be reached, or what it sends is no such table.
    """
    endpoint = os.environ.get("XTALK_GITHUB_RAW_ENDPOINT", ENDPOINT).rstrip("/")
    commit = commit_of(params.revision)
    arrived = scratch / commit  # a branch may have moved since a run that was killed
    for name, remote_name in REMOTE_NAMES.items():
        if not (arrived / name).is_file():
            fetch_file(f"{endpoint}/{REPOSITORY}/{commit}/{remote_name}", arrived / name)
    first_row = next(iterate_csv(arrived / TABLE), {})
    if not {"mp_id", "structure", "phfreq", "phdos"} <= set(first_row):
        (arrived / TABLE).unlink()
        raise StageError(
            f"{REMOTE_NAMES[TABLE]} of {REPOSITORY} at revision {params.revision} is not the table of phonon densities "
            "of states; set fetch.phonon_tutorial.revision to main"
        )
    for name in REMOTE_NAMES:
        shutil.move(arrived / name, folder / name)
    return write_manifest(folder, {name: {"revision": commit} for name in REMOTE_NAMES})


def commit_of(revision: str) -> str:
    """Return the commit that a revision is now; a whole commit is itself, and GitHub is not asked.

    Args:
        revision: commit, branch or tag.

    Raises:
        StageError: there is no such revision, or GitHub refuses or cannot be reached.
    """
    if re.fullmatch(r"[0-9a-f]{40}", revision):
        return revision
    endpoint = os.environ.get("XTALK_GITHUB_API_ENDPOINT", API_ENDPOINT).rstrip("/")
    try:
        answer = fetch_json(f"{endpoint}/repos/{REPOSITORY}/commits/{revision}")
    except StageError as error:
        raise StageError(f"{error}; a commit of 40 digits in fetch.phonon_tutorial.revision needs no asking") from None
    commit = answer.get("sha") if isinstance(answer, dict) else None
    if not isinstance(commit, str) or not re.fullmatch(r"[0-9a-f]{40}", commit):
        raise StageError(f"GitHub does not tell which commit of {REPOSITORY} the revision {revision} is; name a commit")
    say(f"phonon_tutorial: revision {revision} is commit {commit}; fetch.phonon_tutorial.revision may name it for good")
    return commit
