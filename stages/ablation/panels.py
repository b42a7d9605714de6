"""The tasks of the pipeline as panels of a figure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stages.ablation.encoder_scores import DIRECTIONS
from stages.shared.params import TargetParams

N_COLUMNS = 2


@dataclass(frozen=True)
class Panel:
    """One task: which of its scores to show, and under which words.

    Args:
        task: section and name in the scores.
        score: the model's; its interval is `<score>_low` to `<score>_high`.
        trivial: what the mean of the train split, or chance, gets.
        forest: what the composition-only random forest gets, empty where there is none.
        alone: the score of the structure branch, likewise.
    """

    task: tuple[str, str]
    title: str
    axis: str
    score: str
    trivial: str
    forest: str = ""
    alone: str = ""


def panels(targets: Mapping[str, TargetParams], kinds: Iterable[str]) -> list[Panel]:
    """Return the tasks in the order of the pipeline.

    Args:
        targets: label and unit of the scalar properties.
        kinds: of densities of states.
    """
    fusion = [
        Panel(
            ("fusion", name),
            target.label,
            f"MAE, {target.unit}",
            "fused_mae",
            "mean_baseline_mae",
            "composition_forest_mae",
            "structure_mae",
        )
        for name, target in targets.items()
    ]
    dos = [
        Panel(
            ("dos", kind),
            f"{kind.capitalize()} DOS",
            "R²",
            "predicted_r2",
            "mean_baseline_r2",
            "composition_forest_r2",
        )
        for kind in kinds
    ]
    retrieval = [
        Panel(("retrieval", name), name.replace("_to_", " → ").capitalize(), "top-1", "top_1", "top_1_chance")
        for name in DIRECTIONS
    ]
    return [*fusion, *dos, *retrieval]
