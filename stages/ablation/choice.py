"""Which experiments make a fair comparison: one of each variant, alike in everything else."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from stages.ablation.experiments import Commit, Experiment
from stages.shared.errors import StageError


@dataclass(frozen=True)
class Comparison:
    """What is compared.

    Args:
        subject: all of it in the plural, as in a message.
        command: makes the experiments.
        variants: by name, the settings in which a variant may differ from the commit, as `{"encoder.name": "cgcnn"}`.
    """

    subject: str
    command: str
    variants: Mapping[str, Mapping[str, Any]]


def choose(
    comparison: Comparison, commit: Commit, other_commits: Callable[[str], Sequence[Commit]]
) -> dict[str, Experiment]:
    """Return of each variant the newest experiment that differs from the commit in the variant's settings alone.

    Where a variant is what the commit has and there is no experiment of it, the results of the commit stand in.

    Args:
        comparison: the variants.
        commit: the last commit, with the experiments that started from it.
        other_commits: lists the others, given its revision; asked only to explain why a variant is missing.

    Raises:
        StageError: a variant has no such experiment; the message gives the reason for each.
    """
    chosen, unusable = {}, {}
    for name, settings in comparison.variants.items():
        expected = with_settings(commit.own.params, settings)
        candidates = [one for one in commit.experiments if one.params == expected]
        usable = [one for one in candidates if one.state == "success" and not one.changed_files]
        if usable:
            chosen[name] = max(usable, key=lambda one: (one.time, one.name))
        elif commit.own.params == expected and not candidates:
            chosen[name] = commit.own
        else:
            unusable[name] = candidates
    if unusable:
        others = [one for other in other_commits(commit.revision) for one in other.experiments]
        reasons = [_reason(name, comparison.variants[name], found, others) for name, found in unusable.items()]
        raise StageError(f"{comparison.subject} cannot be compared: {'; '.join(reasons)}. Run `{comparison.command}`")
    return chosen


def with_settings(params: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tree of parameters with some of them set, each named as in `encoder.name`."""
    changed = deepcopy(dict(params))
    for path, value in settings.items():
        *sections, name = path.split(".")
        place = changed
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = value
    return changed


def _reason(
    name: str, settings: Mapping[str, Any], candidates: Sequence[Experiment], others: Sequence[Experiment]
) -> str:
    """Say why a variant has no usable experiment."""
    if candidates:
        newest = max(candidates, key=lambda one: (one.state in ("queued", "running"), one.time, one.name))
        if newest.state == "success":
            return f"{name} ran with uncommitted changes of {', '.join(newest.changed_files)} ({newest.name})"
        if newest.state == "failed":
            return f"{name} failed (`dvc queue logs {newest.name}` may show why)"
        return f"{name} is {newest.state} ({newest.name})"
    if any(one.state == "success" and with_settings(one.params, settings) == one.params for one in others):
        return f"{name} ran on another commit only"
    return f"{name} has not run on this commit with the committed settings"
