"""What the scores of densities of states say, in words. Nothing here knows a result in advance."""

from typing import Any

from stages.report.formatting import count, interval, number, percent
from stages.report.page import Verdict
from stages.report.sentences import FOREST
from stages.shared.params import DosKindParams

Metrics = dict[str, Any]

MEAN_SPECTRUM = "the mean spectrum of the train split"
NETWORKS = {
    "graph_network_energies": "graph network, with energy embedding",
    "graph_network": "graph network",
    "mlp_energies": "MLP on elements alone, with energy embedding",
    "mlp": "MLP on elements alone",
}
NORMALIZATIONS = {
    "max": "Every spectrum is divided by its highest peak.",
    "sum": "Every spectrum is divided by its sum, so that a bin holds its share of all states in the window.",
    "none": "A spectrum is not normalised: it gives the states per atom in each bin.",
}
HEIGHTS = {
    "max": "of the highest peak",
    "sum": "of all states in a bin",
    "none": "states per atom in a bin",
}
BEYOND = {
    "unknown": "Bins beyond what a source delivers are not known and not scored.",
    "zero": "Bins beyond what a source delivers hold no states and count as zero.",
}


def dos_sentence(scores: Metrics, setting: DosKindParams) -> str:
    """Say how well spectra are predicted on average."""
    if scores["predicted_mae"] is None:
        return f"The {count(scores['n'], 'test crystal')} could not be scored: the model gave no finite number."
    return (
        f"On {count(scores['n'], 'test crystal')} the predicted spectrum explains on average R² = "
        f"{number(scores['predicted_r2'])} of the true one "
        f"(95 % interval {interval(scores['predicted_r2_low'], scores['predicted_r2_high'])}; "
        f"median {number(scores['predicted_r2_median'])}). The mean absolute error is "
        f"{number(scores['predicted_mae'])} {HEIGHTS[setting.normalization]}, the Wasserstein distance "
        f"{number(scores['predicted_wasserstein'], setting.unit)}. The fail rate, the share of "
        f"crystals with R² below 0, is {percent(scores['predicted_fail_rate'])}; to them a constant would be closer."
    )


def recipe_sentence(setting: DosKindParams) -> str:
    """Say how spectra are normalised, and what becomes of bins that a source does not reach."""
    return f"{NORMALIZATIONS[setting.normalization]} {BEYOND[setting.beyond]}"


def networks_sentence() -> str:
    """Say what the simple networks are."""
    return (
        "Four simple networks were trained on the same crystals: a graph network with the graph tower of the model, "
        "and an MLP that knows the elements but neither places nor bonds. Each gives all bins at once, or with an "
        "energy embedding one bin at a time, as the model does."
    )


def sum_rule_sentence(sum_rule: Metrics) -> str:
    """Say how many states per atom the spectra hold as they were delivered."""
    if sum_rule["delivered_states_per_atom"] is None:
        return "How many states the delivered spectra hold is not known."
    return (
        f"As delivered the true spectra hold {number(sum_rule['delivered_states_per_atom'])} states per atom on "
        f"average; by the sum rule it should be {number(sum_rule['expected_states_per_atom'])}, and "
        f"{percent(sum_rule['share_within_5_percent'])} of them are within 5 % of it."
    )


def dos_verdicts(scores: Metrics) -> list[Verdict]:
    """Say of each baseline whether the model is better in R², in mean absolute error, in both or in neither.

    Of the simple networks only the one with the highest R² on test is named.
    """
    rivals = {"mean_baseline": MEAN_SPECTRUM, "composition_forest": FOREST}
    networks = [name for name in NETWORKS if scores.get(f"{name}_r2") is not None]
    if networks:
        best = max(networks, key=lambda name: scores[f"{name}_r2"])
        rivals[best] = f"the best of the simple networks ({NETWORKS[best]})"
    return [_verdict(scores, key, name) for key, name in rivals.items()]


def _verdict(scores: Metrics, key: str, name: str) -> Verdict:
    """Compare the model with one baseline."""
    if any(scores[f"{one}_{score}"] is None for one in ("predicted", key) for score in ("r2", "mae")):
        return Verdict(None, f"It could not be compared with {name}.")
    r2 = f"R² ({number(scores['predicted_r2'])} against {number(scores[f'{key}_r2'])})"
    mae = f"error ({number(scores['predicted_mae'])} against {number(scores[f'{key}_mae'])})"
    better_r2 = scores["predicted_r2"] > scores[f"{key}_r2"]
    better_mae = scores["predicted_mae"] < scores[f"{key}_mae"]
    if better_r2 == better_mae:
        words = "beats" if better_r2 else "does not beat"
        return Verdict(better_r2, f"It {words} {name}, in {r2} and in mean absolute {mae}.")
    won, lost = (r2, f"mean absolute {mae}") if better_r2 else (f"mean absolute {mae}", r2)
    return Verdict(False, f"It beats {name} in {won} but not in {lost}.")
