"""Which experiments make a fair comparison: one of each encoder, alike in everything else."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from stages.ablation.experiments import Commit, Experiment
from stages.shared.errors import StageError
from stages.shared.params import EncoderParams

ENCODERS: tuple[str, ...] = get_args(EncoderParams.model_fields["name"].annotation)


def choose(commit: Commit, other_commits: Callable[[str], Sequence[Commit]]) -> dict[str, Experiment]:
    """Return of each encoder the newest experiment that differs from the commit in `encoder.name` alone.

    Where the encoder is that of the commit and has no experiment, the results of the commit stand in.

    Args:
        commit: the last commit, with the experiments that started from it.
        other_commits: lists the others, given its revision; asked only to explain why an encoder is missing.

    Raises:
        StageError: an encoder has no such experiment; the message gives the reason for each.
    """
    chosen, unusable = {}, {}
    for encoder in ENCODERS:
        candidates = [one for one in commit.experiments if one.encoder == encoder and _same_settings(one, commit.own)]
        usable = [one for one in candidates if one.state == "success" and not one.changed_files]
        if usable:
            chosen[encoder] = max(usable, key=lambda one: (one.time, one.name))
        elif commit.own.encoder == encoder and not candidates:
            chosen[encoder] = commit.own
        else:
            unusable[encoder] = candidates
    if unusable:
        others = [one for other in other_commits(commit.revision) for one in other.experiments]
        reasons = [_reason(encoder, candidates, others) for encoder, candidates in unusable.items()]
        raise StageError(f"the encoders cannot be compared: {'; '.join(reasons)}. Run `make ablation`")
    return chosen


def _same_settings(experiment: Experiment, own: Experiment) -> bool:
    return _without_encoder(experiment.params) == _without_encoder(own.params)


def _without_encoder(params: Mapping[str, Any]) -> dict[str, Any]:
    return {**params, "encoder": {**params.get("encoder", {}), "name": None}}


def _reason(encoder: str, candidates: Sequence[Experiment], others: Sequence[Experiment]) -> str:
    """Say why an encoder has no usable experiment."""
    if candidates:
        newest = max(candidates, key=lambda one: (one.time, one.name))
        if newest.state == "success":
            return f"{encoder} ran with uncommitted changes of {', '.join(newest.changed_files)} ({newest.name})"
        if newest.state == "failed":
            return f"{encoder} failed (`dvc queue logs {newest.name}` may show why)"
        return f"{encoder} is {newest.state} ({newest.name})"
    if any(one.encoder == encoder and one.state == "success" for one in others):
        return f"{encoder} ran on another commit only"
    return f"{encoder} has not run on this commit with the committed settings"
