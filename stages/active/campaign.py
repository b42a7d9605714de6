"""Simulated campaigns: label some crystals at random, then choose, look up and learn, round after round.

Every round is a function of what is labelled before it, and what is labelled is written down after each. A run that is
killed and started again therefore ends with the same result as an undisturbed one.
"""

from pathlib import Path

import numpy as np

from stages.active.candidates import Candidates, windows_of
from stages.active.surrogate import choose
from stages.shared.params import ActiveParams, ObjectiveParams
from stages.shared.progress import progress, say
from stages.shared.text_files import read_json, write_json
from stages.shared.training import seed_of

RANDOM = "random"
Campaigns = dict[str, dict[str, list[list[int]]]]
"""By objective and acquisition: of each seed the places of the labelled crystals, in the order of labelling."""


def simulate(candidates: Candidates, params: ActiveParams, scratch: Path) -> Campaigns:
    """Run every objective with every acquisition and every seed, beside random choice.

    An objective is left out, with a sentence, where fewer crystals are known than are labelled at the start, or no
    known crystal is a hit.

    Args:
        candidates: all crystals.
        params: the `active` section.
        scratch: folder of the notes after each round.
    """
    possible = [objective for objective in params.objectives if _is_possible(candidates, objective, params)]
    acquisitions = [RANDOM, *params.acquisitions]
    runs = [(one, name, number) for one in possible for name in acquisitions for number in range(params.campaigns)]
    campaigns: Campaigns = {one.name: {name: [] for name in acquisitions} for one in possible}
    for objective, acquisition, number in progress(runs, "campaigns"):
        order = run_campaign(candidates, objective, acquisition, number, params, scratch)
        campaigns[objective.name][acquisition].append(order)
    return campaigns


def run_campaign(
    candidates: Candidates,
    objective: ObjectiveParams,
    acquisition: str,
    number: int,
    params: ActiveParams,
    scratch: Path,
) -> list[int]:
    """Return the places of the labelled crystals in the order of labelling, going on from the notes where there are.

    Campaigns of the same number start from the same crystals, whatever the acquisition.
    """
    windows = windows_of(objective)
    pool = candidates.known(windows)
    random = np.random.RandomState(seed_of(params.seed, number, f"campaign {objective.name}"))
    shuffled = random.permutation(pool).tolist()
    n_labels = min(params.initial_labels + params.rounds * params.batch_size, len(pool))
    if acquisition == RANDOM:
        return shuffled[:n_labels]
    notes = scratch / f"{objective.name}-{acquisition}-{number}.json"
    order: list[int] = read_json(notes) if notes.exists() else shuffled[: params.initial_labels]
    while len(order) < n_labels:
        labelled = np.array(sorted(order))
        free = np.setdiff1d(pool, labelled)
        size = min(params.batch_size, n_labels - len(order))
        batch, _ = choose(candidates, windows, dict.fromkeys(windows, labelled), free, acquisition, size, params)
        order = order + free[batch].tolist()
        write_json(notes, order)
    return order


def _is_possible(candidates: Candidates, objective: ObjectiveParams, params: ActiveParams) -> bool:
    windows = windows_of(objective)
    n_known, n_hits = len(candidates.known(windows)), int(candidates.hits(windows).sum())
    if n_known > params.initial_labels and n_hits:
        return True
    say(f"{objective.name}: no campaign; {n_known} crystals are known, {n_hits} of them hits, and a campaign starts "
        f"with {params.initial_labels} labels")  # fmt: skip
    return False
