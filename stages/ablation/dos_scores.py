"""The DOS transformer and the published configuration compared, for several seeds each."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from stages.ablation.choice import Comparison
from stages.ablation.experiments import Experiment
from stages.ablation.spread import over_seeds
from stages.shared.errors import StageError

PROFILE = Path("profiles/dos_published.txt")
MODELS = ("corrected", "published")
SEEDS = (0, 1, 2)

# What the published profile says of how long to train. Here both models train for as many epochs as params.yaml says.
LENGTH_OF_TRAINING = ("dos.epochs", "dos.patience")

KindTable = dict[str, Any]


def read_profile(path: Path) -> dict[str, Any]:
    """Return the settings of a profile by their names, as `dos.model`.

    Args:
        path: a file with lines `name=value`, the value in YAML.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    return {name: yaml.safe_load(value) for name, value in (line.split("=", 1) for line in lines)}


def dos_comparison(profile: Mapping[str, Any]) -> Comparison:
    """Return the comparison of the committed settings with the published ones, both trained for equally many epochs.

    Args:
        profile: the published settings.
    """
    published = {name: value for name, value in profile.items() if name not in LENGTH_OF_TRAINING}
    settings = {"corrected": {"dos.model": "transformer"}, "published": published}
    variants = {variant(model, seed): {**settings[model], "dos.seed": seed} for model in MODELS for seed in SEEDS}
    return Comparison("the models of densities of states", "make compare-dos", variants)


def variant(model: str, seed: int) -> str:
    """Return the name of one model trained with one seed."""
    return f"{model} with seed {seed}"


def dos_table(chosen: Mapping[str, Experiment], kinds: Iterable[str]) -> dict[str, KindTable]:
    """Return by kind the scores of both models on the test split.

    Args:
        chosen: an experiment of each `variant`, with the metrics of `evaluate`.
        kinds: of densities of states.

    Returns:
        `n` crystals, and by model its `seeds`, and of `r2` and `mae` (each spectrum divided by its highest peak, mean
        over crystals) the score of each seed, their mean and standard deviation; null where not defined.

    Raises:
        StageError: a metrics file is missing, or not all models were tested on the same number of crystals.
    """
    return {kind: _of_kind(chosen, kind) for kind in kinds}


def _of_kind(chosen: Mapping[str, Experiment], kind: str) -> KindTable:
    tests = {name: experiment.test_scores("dos", kind) for name, experiment in chosen.items()}
    numbers = {test["n"] for test in tests.values()}
    if len(numbers) > 1:
        counts = ", ".join(f"{name} on {test['n']}" for name, test in tests.items())
        raise StageError(f"the models were tested on different {kind} spectra, so they cannot be compared: {counts}")
    table: KindTable = {"n": numbers.pop()}
    for model in MODELS:
        own = [tests[variant(model, seed)] for seed in SEEDS]
        table[model] = {"seeds": list(SEEDS)}
        for score in ("r2", "mae"):
            table[model].update(over_seeds(score, [test[f"predicted_{score}"] for test in own]))
    return table
