"""`python -m stages.ablation encoders`, `dos`, `seeds`: put the experiments of `make` into one table and one figure."""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from stages.ablation.choice import Comparison, choose
from stages.ablation.dos_charts import draw_dos
from stages.ablation.dos_scores import PROFILE, dos_comparison, dos_table, read_profile
from stages.ablation.encoder_charts import draw_encoders
from stages.ablation.encoder_scores import ENCODER_COMPARISON, encoder_table
from stages.ablation.experiments import last_commit, other_commits
from stages.ablation.seed_charts import draw_seeds
from stages.ablation.seed_scores import SEED_COMPARISON, seed_table
from stages.shared.errors import StageError, run_stage
from stages.shared.params import load_params
from stages.shared.text_files import write_json


def main() -> None:
    """Write metrics/ablation/<name>.json and plots/ablation/<name>.png of the comparison named on the command line."""
    name = sys.argv[1] if len(sys.argv) == 2 else ""
    if name not in COMPARISONS:
        raise StageError(f"'{name}' is not a comparison; use one of {', '.join(COMPARISONS)}")
    COMPARISONS[name](Path(f"metrics/ablation/{name}.json"), Path(f"plots/ablation/{name}.png"))


def compare_on_every_task(
    comparison: Comparison,
    table_of: Callable[..., Mapping[str, Any]],
    draw: Callable[..., None],
    metrics: Path,
    figure: Path,
) -> None:
    """Compare experiments that made all of the pipeline anew.

    Args:
        comparison: which experiments.
        table_of: a function of the chosen experiments, the targets and the kinds of densities of states.
        draw: a function of the path of the figure, the table, the targets and the kinds.
        metrics: the JSON file to write.
        figure: the PNG to write.
    """
    params = load_params("targets", "dos_kinds")
    chosen = choose(comparison, last_commit(), other_commits)
    table = table_of(chosen, params.targets, params.dos_kinds)
    write_json(metrics, table)
    draw(figure, table, params.targets, params.dos_kinds)


def compare_dos(metrics: Path, figure: Path) -> None:
    """Compare the DOS transformer with the published configuration."""
    params = load_params("dos_kinds")
    chosen = choose(dos_comparison(read_profile(PROFILE)), last_commit(), other_commits)
    table = dos_table(chosen, params.dos_kinds)
    write_json(metrics, table)
    draw_dos(figure, table)


COMPARISONS: dict[str, Callable[[Path, Path], None]] = {
    "encoders": partial(compare_on_every_task, ENCODER_COMPARISON, encoder_table, draw_encoders),
    "dos": compare_dos,
    "seeds": partial(compare_on_every_task, SEED_COMPARISON, seed_table, draw_seeds),
}

if __name__ == "__main__":
    run_stage(main)
