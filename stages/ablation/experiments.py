"""What DVC knows of the experiments: their settings, their results, and whether they ran on the committed code."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from stages.shared.errors import StageError

# What an experiment may change: its parameters and what the pipeline makes.
CHANGED_BY_A_RUN = ("params.yaml", "dvc.lock", "metrics", "plots")


@dataclass(frozen=True)
class Experiment:
    """One experiment, or the results of a commit itself.

    Args:
        name: the one DVC gave it.
        state: `success`, `failed`, `queued` or `running`.
        time: of its commit, ISO 8601; orders experiments; may be empty while it is queued or runs.
        params: the tree of params.yaml.
        metrics: the tree of each metrics file, by path; a file that could not be read is left out.
        changed_files: files of the project that were not as in the commit it started from.
    """

    name: str
    state: str
    time: str
    params: Mapping[str, Any]
    metrics: Mapping[str, Any]
    changed_files: Sequence[str] = ()

    def scores(self, path: str) -> Mapping[str, Any]:
        """Return the contents of a metrics file.

        Raises:
            StageError: there is no such file.
        """
        if path not in self.metrics:
            raise StageError(f"{self.name} has no {path}; run it again")
        contents: Mapping[str, Any] = self.metrics[path]
        return contents

    def test_scores(self, section: str, task: str) -> Mapping[str, Any]:
        """Return the scores of one task on the test split.

        Args:
            section: `fusion`, `dos` or `retrieval`.
            task: a target, a kind of density of states or a direction; retrieval is from the whole test gallery.

        Raises:
            StageError: there is no file of them.
        """
        if section == "retrieval":
            return cast("Mapping[str, Any]", self.scores("metrics/zero_shot.json")["main"][task])
        return cast("Mapping[str, Any]", self.scores(f"metrics/{section}/{task}.json")["test"])


@dataclass(frozen=True)
class Commit:
    """A commit of the project, its own results and the experiments that started from it."""

    revision: str
    own: Experiment
    experiments: Sequence[Experiment]


def last_commit() -> Commit:
    """Return HEAD with its experiments.

    Raises:
        StageError: DVC cannot list the experiments, or cannot read the commit.
    """
    found = read_commits(_rows())
    if not found:
        raise StageError("DVC cannot read the last commit; `dvc exp show` and `dvc repro --dry` may tell why")
    return found[0]


def other_commits(revision: str) -> list[Commit]:
    """Return every commit but one."""
    return [commit for commit in read_commits(_rows("--all-commits")) if commit.revision != revision]


def read_commits(rows: Sequence[Mapping[str, Any]]) -> list[Commit]:
    """Read the rows of `dvc exp show --json --hide-workspace`; one that DVC could not read is left out."""
    found = []
    for row in rows:
        if row["data"] is not None:
            experiments = [_read_row(one, row["rev"]) for one in row["experiments"] or [] if _has_data(one)]
            found.append(Commit(row["rev"], _experiment("HEAD", "success", row["data"], ()), experiments))
    return found


def _rows(*options: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "dvc", "exp", "show", "--json", "--hide-workspace", *options]
    rows: list[dict[str, Any]] = json.loads(_output(command))
    return rows


def _has_data(row: Mapping[str, Any]) -> bool:
    return bool(row["revs"]) and row["revs"][0]["data"] is not None


def _read_row(row: Mapping[str, Any], base: str) -> Experiment:
    newest = row["revs"][0]
    # An experiment run in the workspace has no executor. A failed one still shows the metrics of its commit.
    state = "failed" if newest["error"] else (row["executor"] or {}).get("state", "success")
    changed = _changed_files(base, newest["rev"]) if state == "success" else ()
    return _experiment(row["name"] or newest["rev"][:7], state, newest["data"], changed)


def _experiment(name: str, state: str, data: Mapping[str, Any], changed: Sequence[str]) -> Experiment:
    return Experiment(
        name=name,
        state=state,
        time=data["timestamp"] or "",
        params=data["params"].get("params.yaml", {}).get("data", {}),
        metrics={path: file["data"] for path, file in data["metrics"].items() if "data" in file},
        changed_files=changed,
    )


def _changed_files(base: str, revision: str) -> list[str]:
    allowed = [f":(exclude){path}" for path in CHANGED_BY_A_RUN]
    return _output(["git", "diff", "--name-only", base, revision, "--", ".", *allowed]).splitlines()


def _output(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        reason = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
        raise StageError(f"the experiments cannot be listed; run this in a clone of the project: {reason}")
    return done.stdout
