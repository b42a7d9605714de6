"""What to compute next: crystals with an unknown property that are likely hits."""

import numpy as np

from models.acquisition import probability
from stages.active.candidates import UNITS, Candidates, windows_of
from stages.active.surrogate import choose
from stages.shared.params import ActiveParams, ObjectiveParams

PROPOSAL_COLUMNS = (
    "objective",
    "rank",
    "material_id",
    "formula",
    "property",
    "unit",
    "known",
    "predicted",
    "deviation",
    "probability",
)


def propose(candidates: Candidates, params: ActiveParams) -> list[list[object]]:
    """Return rows of `PROPOSAL_COLUMNS`: a batch for each objective, by the first acquisition, one row per property.

    Fitted to all that is known. `known` is empty for the property that is to be computed; `probability` is that of
    lying in the window.
    """
    return [row for objective in params.objectives for row in _batch(candidates, objective, params)]


def _batch(candidates: Candidates, objective: ObjectiveParams, params: ActiveParams) -> list[list[object]]:
    windows = windows_of(objective)
    unknown = np.setdiff1d(np.arange(len(candidates.material_ids)), candidates.known(windows))
    labelled = {name: np.flatnonzero(np.isfinite(candidates.properties[name])) for name in windows}
    if not len(unknown) or not all(len(places) for places in labelled.values()):
        return []
    batch, posteriors = choose(
        candidates, windows, labelled, unknown, params.acquisitions[0], params.batch_size, params
    )
    rows: list[list[object]] = []
    for rank, chosen in enumerate(batch, start=1):
        place = int(unknown[chosen])
        for name, window in windows.items():
            known = float(candidates.properties[name][place])
            numbers = (posteriors[name].mean, posteriors[name].deviation, probability(posteriors[name], window))
            row = [objective.name, rank, candidates.material_ids[place], candidates.formulas[place], name, UNITS[name]]
            rows.append([*row, known if np.isfinite(known) else None, *(float(values[chosen]) for values in numbers)])
    return rows
