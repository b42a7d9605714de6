"""`python -m stages.active`: how many wanted crystals a campaign finds, against chance, and what to compute next."""

from pathlib import Path

from stages.active.campaign import simulate
from stages.active.candidates import check_properties, read_candidates
from stages.active.charts import draw_campaigns
from stages.active.proposals import PROPOSAL_COLUMNS, propose
from stages.active.scores import campaign_scores, surrogate_scores
from stages.shared.errors import run_stage
from stages.shared.params import load_params
from stages.shared.runtime import use_reproducible_kernels
from stages.shared.scratch import scratch_folder
from stages.shared.text_files import write_csv, write_json

DATA = Path("data")


def main() -> None:
    """Write metrics/active.json, plots/active.png and data/active.csv."""
    params = load_params("active").active
    check_properties(params)
    use_reproducible_kernels()
    with scratch_folder("active", params, [DATA / "graphs", DATA / "crystals.parquet"]) as scratch:
        candidates = read_candidates(DATA, params, scratch)
        campaigns = simulate(candidates, params, scratch)
        scores = {
            "objectives": campaign_scores(campaigns, candidates, params),
            "surrogate": surrogate_scores(candidates, params),
        }
        proposals = propose(candidates, params)
    write_json(Path("metrics/active.json"), scores)
    draw_campaigns(Path("plots/active.png"), scores["objectives"], params.objectives)
    write_csv(DATA / "active.csv", PROPOSAL_COLUMNS, proposals)


if __name__ == "__main__":
    run_stage(main)
