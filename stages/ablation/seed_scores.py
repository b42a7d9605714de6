"""The committed settings trained with several seeds: how much of a score is chance."""

from collections.abc import Iterable, Mapping
from typing import Any

from stages.ablation.choice import Comparison
from stages.ablation.encoder_scores import DIRECTIONS
from stages.ablation.experiments import Experiment
from stages.ablation.spread import over_seeds
from stages.shared.errors import StageError

SEEDS = (0, 1, 2, 3, 4)
SEEDED = ("pretrain.seed", "fusion.seed", "dos.seed")
SEED_COMPARISON = Comparison("the seeds", "make seeds", {f"seed {seed}": dict.fromkeys(SEEDED, seed) for seed in SEEDS})

SCORES = {"fusion": ("fused_mae",), "dos": ("predicted_r2", "predicted_mae"), "retrieval": ("top_1",)}
# What no model's seed changes: the test crystals, and the baselines beside the model.
BESIDE = {
    "fusion": ("n", "mean_baseline_mae", "composition_forest_mae"),
    "dos": ("n", "mean_baseline_r2", "mean_baseline_mae", "composition_forest_r2", "composition_forest_mae"),
    "retrieval": ("n", "top_1_chance"),
}

SeedTable = dict[str, Any]


def seed_table(chosen: Mapping[str, Experiment], targets: Iterable[str], kinds: Iterable[str]) -> SeedTable:
    """Return the scores on the test split of every seed, with mean and standard deviation.

    Args:
        chosen: an experiment of each seed, with the metrics of `evaluate` and `zero_shot`.
        targets: scalar properties; errors are in the unit of the property.
        kinds: of densities of states, each spectrum divided by its highest peak.

    Returns:
        `seeds`; then `fusion` by target, `dos` by kind and `retrieval` by direction: `n` crystals, each score as
        `over_seeds` gives it, and what the mean of the train split, or chance, and the composition-only forest get.

    Raises:
        StageError: a metrics file is missing, or the test crystals or the baselines differ between the seeds.
    """
    tasks = {"fusion": tuple(targets), "dos": tuple(kinds), "retrieval": DIRECTIONS}
    table: SeedTable = {"seeds": list(SEEDS)}
    for section, names in tasks.items():
        table[section] = {task: _of_task(chosen, section, task) for task in names}
    return table


def _of_task(chosen: Mapping[str, Experiment], section: str, task: str) -> dict[str, Any]:
    tests = {name: experiment.test_scores(section, task) for name, experiment in chosen.items()}
    beside = {name: {key: test[key] for key in BESIDE[section]} for name, test in tests.items()}
    first = next(iter(beside.values()))
    if others := [name for name, one in beside.items() if one != first]:
        raise StageError(
            f"the seeds cannot be compared: {', '.join(others)} had other test crystals or baselines of {task} than "
            f"{next(iter(beside))}"
        )
    scores: dict[str, Any] = dict(first)
    for score in SCORES[section]:
        scores |= over_seeds(score, [test[score] for test in tests.values()])
    return scores
