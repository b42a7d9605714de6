"""`python -m stages.ablation`: put the experiments of `make ablation` into one table and one figure."""

from pathlib import Path

from stages.ablation.charts import draw_encoders
from stages.ablation.choice import choose
from stages.ablation.experiments import last_commit, other_commits
from stages.ablation.scores import encoder_scores
from stages.shared.errors import run_stage
from stages.shared.params import load_params
from stages.shared.tables import write_json


def main() -> None:
    """Write metrics/ablation/encoders.json and plots/ablation/encoders.png."""
    params = load_params("targets", "dos_kinds")
    table = {}
    for encoder, experiment in choose(last_commit(), other_commits).items():
        model = experiment.params["encoder"]["precomputed"]["model"]
        name = f"precomputed_{model}" if encoder == "precomputed" else encoder
        table[name] = encoder_scores(experiment, params.targets, params.dos_kinds)

    write_json(Path("metrics/ablation/encoders.json"), table)
    draw_encoders(Path("plots/ablation/encoders.png"), table, params.targets, params.dos_kinds)


if __name__ == "__main__":
    run_stage(main)
