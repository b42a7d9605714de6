"""Learning curves: the error on test against the share of labels, for every start and the same seeds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.shared.dos_task import DosTask
from stages.shared.global_inputs import GlobalInputs
from stages.shared.progress import progress
from stages.shared.training import seed_of
from stages.transfer.runs import FewLabelsTask, Setting, State, errors, fit, new_model, once


@dataclass(frozen=True)
class Point:
    """The errors on test of one run."""

    start: str
    share: float
    n_labels: int
    seed: int
    mae: float
    r2: float


def learning_curves(setting: Setting, starts: Mapping[str, State], global_inputs: GlobalInputs) -> list[Point]:
    """Train with every share of the labels from every start, with the same labels for all starts of a seed.

    The val split chooses the epoch of a run, whatever the share; test is looked at once, with that epoch.

    Args:
        setting: of the kind whose labels are few.
        starts: weights of the graph encoder, empty for random ones.
        global_inputs: numbers of all crystals.
    """
    own = setting.params.transfer
    runs = list(product(range(own.seeds), own.label_shares, starts))
    points = []
    for seed, share, start in progress(runs, f"{setting.kind} learning curves"):
        notes = setting.scratch / f"{start}-{share:g}-{seed}.json"
        found = once(notes, partial(_run, setting, start, share, seed, starts[start], global_inputs))
        points.append(Point(**found))
    return points


def labelled_rows(n_train: int, share: float, seed: int) -> NDArray[np.int64]:
    """Return which training crystals have a label, at least one; a smaller share is part of a larger one."""
    order = np.random.RandomState(seed_of(seed, 0, "labels")).permutation(n_train)
    return np.sort(order[: max(1, round(share * n_train))])


def curve_scores(points: list[Point]) -> dict[str, list[dict[str, Any]]]:
    """Return for each start one entry per share of labels: means over the seeds, and what each seed gave."""
    scores: dict[str, list[dict[str, Any]]] = {}
    for start, share in sorted({(point.start, point.share) for point in points}):
        those = [point for point in points if (point.start, point.share) == (start, share)]
        numbers = {name: [getattr(point, name) for point in those] for name in ("mae", "r2")}
        entry: dict[str, Any] = {"share": share, "n_labels": those[0].n_labels}
        entry |= {name: float(np.mean(values)) for name, values in numbers.items()}
        entry |= {f"{name}_of_each_seed": values for name, values in numbers.items()}
        scores.setdefault(start, []).append(entry)
    return scores


def _run(
    setting: Setting,
    start: str,
    share: float,
    seed: int,
    weights: State,
    global_inputs: GlobalInputs,
) -> dict[str, Any]:
    """Return what a `Point` holds."""
    dos_params = setting.dos_params(seed)
    model = new_model(setting, dos_params)
    if weights:
        model.graph_encoder.load_state_dict(weights)
    task = DosTask(setting.examples, global_inputs, dos_params)
    rows = labelled_rows(task.n_train, share, seed)
    folder = setting.scratch / f"{start}-{share:g}-{seed}"
    fit(model, FewLabelsTask(task, rows), dos_params, folder, folder.name)
    scores = errors(model, setting.examples.of_split("test"), global_inputs)
    return asdict(Point(start, share, len(rows), seed, **scores))
