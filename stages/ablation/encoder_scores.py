"""The graph encoders compared, and the test scores that tell them apart."""

from collections.abc import Iterable, Mapping
from typing import Any, get_args

from stages.ablation.choice import Comparison
from stages.ablation.experiments import Experiment
from stages.shared.params import EncoderParams

Scores = dict[str, dict[str, dict[str, float | int | None]]]

ENCODERS: tuple[str, ...] = get_args(EncoderParams.model_fields["name"].annotation)
ENCODER_COMPARISON = Comparison("the encoders", "make ablation", {name: {"encoder.name": name} for name in ENCODERS})

# The structure branch reads no text, so that it shows the graph encoder alone.
FUSION = ("n", "fused_mae", "fused_mae_low", "fused_mae_high", "structure_mae", "mean_baseline_mae")
DOS = (
    "n",
    "predicted_r2",
    "predicted_r2_low",
    "predicted_r2_high",
    "predicted_mae",
    "mean_baseline_r2",
    "mean_baseline_mae",
)
RETRIEVAL = ("n", "top_1", "top_1_low", "top_1_high", "top_1_chance")
DIRECTIONS = ("text_to_crystal", "crystal_to_text")


def encoder_table(chosen: Mapping[str, Experiment], targets: Iterable[str], kinds: Iterable[str]) -> dict[str, Scores]:
    """Return the scores of each encoder by its name, which for precomputed vectors says whose they are."""
    table = {}
    for encoder, experiment in chosen.items():
        model = experiment.params["encoder"]["precomputed"]["model"]
        name = f"precomputed_{model}" if encoder == "precomputed" else encoder
        table[name] = encoder_scores(experiment, targets, kinds)
    return table


def encoder_scores(experiment: Experiment, targets: Iterable[str], kinds: Iterable[str]) -> Scores:
    """Return the scores on the test split, with what is trivial beside them; null where not defined.

    Args:
        experiment: has the metrics of `evaluate` and `zero_shot`.
        targets: scalar properties; errors are in the unit of the property.
        kinds: of densities of states, each spectrum divided by its highest peak.

    Returns:
        `fusion` by target, `dos` by kind, `retrieval` from the whole test gallery by direction.

    Raises:
        StageError: a metrics file is missing.
    """
    return {
        "fusion": {name: _pick(experiment.test_scores("fusion", name), FUSION) for name in targets},
        "dos": {name: _pick(experiment.test_scores("dos", name), DOS) for name in kinds},
        "retrieval": {name: _pick(experiment.test_scores("retrieval", name), RETRIEVAL) for name in DIRECTIONS},
    }


def _pick(scores: Mapping[str, Any], keys: Iterable[str]) -> dict[str, float | int | None]:
    return {key: scores[key] for key in keys}
