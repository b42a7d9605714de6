"""A crystal system that training never saw, learned from a few crystals: the prompt alone, or everything."""

from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.crystal_systems import CRYSTAL_SYSTEMS
from models.dos.transformer import DosTransformer
from stages.shared.dos_task import DosTask
from stages.shared.global_inputs import GlobalInputs
from stages.shared.progress import say
from stages.shared.training import seed_of
from stages.transfer.runs import FewLabelsTask, Setting, errors, fit, new_model, once, select

TUNED = {"prompt": ("prompts.", "output."), "everything": ("",)}
"""The beginnings of the names of the parameters that each way of tuning changes."""


def few_shot_scores(setting: Setting, global_inputs: GlobalInputs) -> dict[str, Any]:
    """Return errors on the crystals of `transfer.new_system` in val and test, as means over the seeds.

    `untuned` is the model trained without that system, the mean of the other prompts standing in for the missing one;
    `prompt` tunes prompts and output (Lee et al. 2023, see `DosTransformer`, section 5.3), `everything` all weights,
    with a few crystals of the train split; `shots_only` starts from random weights. No step looks at the crystals that
    are scored, which share no formula with any it was trained on where `generate_cif` splits by formula.

    All null where train holds none of the system, or nothing else, or val and test hold none to score.
    """
    own = setting.params.transfer
    system, splits = setting.examples.crystal_system, setting.examples.graphs.splits
    new = system == CRYSTAL_SYSTEMS.index(own.new_system)
    shots, scored = np.flatnonzero(new & (splits == "train")), np.flatnonzero(new & (splits != "train"))
    seen = np.flatnonzero(~new & (splits != "test"))
    entry: dict[str, Any] = {"system": own.new_system, "n_shots": min(own.shots, len(shots)), "n": len(scored)}
    if not len(shots) or not len(scored) or not (splits[seen] == "train").any():
        say(f"{setting.kind}: too few {own.new_system} crystals, or nothing else, for few-shot tuning")
        return {**entry, "scores": None}
    runs = []
    for seed in range(own.seeds):
        order = np.random.RandomState(seed_of(seed, 0, "shots")).permutation(shots)
        chosen = np.sort(order[: own.shots])
        notes = setting.scratch / f"few-shot-{seed}.json"
        runs.append(once(notes, partial(_run, setting, seed, chosen, seen, scored, global_inputs)))
    return {**entry, "scores": _means(runs)}


def tune_only(model: DosTransformer, way: str) -> None:
    """Freeze all parameters but those of one of `TUNED`."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(TUNED[way]))


def fill_prompt(model: DosTransformer, new: int, seen: NDArray[np.int64]) -> None:
    """Give a crystal system that was not trained the mean of the prompts of those that were, (n_seen,) places."""
    with torch.no_grad():
        model.prompts.weight[new] = model.prompts.weight[torch.from_numpy(np.unique(seen))].mean(dim=0)


def _run(
    setting: Setting,
    seed: int,
    shots: NDArray[np.int64],
    seen: NDArray[np.int64],
    scored: NDArray[np.int64],
    global_inputs: GlobalInputs,
) -> dict[str, dict[str, float]]:
    """Return the errors of every way for one seed."""
    examples, dos_params = setting.examples, setting.dos_params(seed)
    new = CRYSTAL_SYSTEMS.index(setting.params.transfer.new_system)
    base = new_model(setting, dos_params)
    folder = setting.scratch / f"few-shot-{seed}"
    others = select(examples, seen)
    fit(
        base, DosTask(others, global_inputs, dos_params), dos_params, folder / "base", f"without {CRYSTAL_SYSTEMS[new]}"
    )
    fill_prompt(base, new, others.of_split("train").crystal_system)
    held_out, few = select(examples, scored), select(examples, shots)
    found = {"untuned": errors(base, held_out, global_inputs)}
    tuning = dos_params.model_copy(
        update={
            "epochs": setting.params.transfer.shot_epochs,
            "warmup_epochs": 0,
        }
    )
    for way in (*TUNED, "shots_only"):
        model = new_model(setting, dos_params)
        if way in TUNED:
            model.load_state_dict(base.state_dict())
            tune_only(model, way)
        task = FewLabelsTask(DosTask(few, global_inputs, tuning), np.arange(len(few)), validates=False)
        fit(model, task, tuning, folder / way, f"{way}, {len(few)} shots")
        found[way] = errors(model, held_out, global_inputs)
    return found


def _means(runs: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, Any]]:
    """Return of every way the mean errors over the seeds, and what each seed gave."""
    scores: dict[str, dict[str, Any]] = {}
    for way in runs[0]:
        numbers = {name: [run[way][name] for run in runs] for name in ("mae", "r2")}
        scores[way] = {name: float(np.mean(values)) for name, values in numbers.items()}
        scores[way] |= {f"{name}_of_each_seed": values for name, values in numbers.items()}
    return scores
