"""The section on active learning, where somebody has simulated it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.report.formatting import count, number, percent, title
from stages.report.page import Figure, Section, Table, Verdict
from stages.shared.text_files import read_json

Scores = Mapping[str, Any]

PATH = Path("metrics/active.json")
FIGURE = Path("plots/active.png")
RANDOM = "random"


def active_sections() -> list[Section]:
    """Tell how many wanted crystals a campaign finds, against random choice; no section where that is not known."""
    if not PATH.exists():
        return []
    metrics = read_json(PATH)
    objectives, surrogate = metrics["objectives"], metrics["surrogate"]
    paragraphs = [
        "Campaigns were simulated on crystals whose properties are known: from a few random labels on, a surrogate "
        "chooses crystals, looks their properties up, learns from them and chooses again. A hit has each property in "
        "the window that the figure names. Each campaign is set beside random choice from the same first labels.",
        "The acquisition is the rule of choice: the probability of a hit, the expected improvement or the upper "
        "confidence bound. What to compute next is in data/active.csv.",
    ]
    figure = Figure(
        FIGURE,
        f"Hits found against crystals labelled for {', '.join(title(name) for name in objectives)}: the mean of the "
        "campaigns of each acquisition with a band from the worst to the best, beside random choice.",
    )
    verdicts = [active_verdict(title(name).capitalize(), scores) for name, scores in objectives.items()]
    tables = [_campaign_table(objectives), _surrogate_table(surrogate)]
    return [Section("active", "Active learning", paragraphs, verdicts, [figure], tables)]


def active_verdict(objective: str, scores: Scores) -> Verdict:
    """Say of one objective whether every acquisition finds more hits than random choice, as means of the campaigns."""
    acquisitions = scores["acquisitions"]
    if not acquisitions:
        known = count(scores["n_candidates"], "known crystal")
        return Verdict(None, f"{objective}: no campaign; {known}, {count(scores['n_hits'], 'hit')} among them.")
    chance = acquisitions[RANDOM]["hits"]
    found = [one["hits"] for name, one in acquisitions.items() if name != RANDOM]
    hits = count(scores["n_hits"], "hit")
    shown = f"{number(min(found))} to {number(max(found))} of {hits}, depending on the acquisition"
    if min(found) == max(found):
        shown = f"{number(found[0])} of {hits} with any acquisition"
    sentence = (
        f"{objective}: with {count(scores['n_labels_after_round'][-1], 'label')} the campaigns find {shown}; random "
        f"choice finds {number(chance)}."
    )
    return Verdict(min(found) > chance, sentence)


def _campaign_table(objectives: Mapping[str, Scores]) -> Table:
    rows = []
    for objective, scores in objectives.items():
        for name, one in scores["acquisitions"].items():
            n_campaigns = len(one["hits_of_each_campaign"])
            rows.append(
                [
                    title(objective),
                    title(name),
                    f"{number(one['hits'])} of {scores['n_hits']:,}",
                    number(one["formulas"]),
                    number(one["over_random"]),
                    f"{one['campaigns_above_random']} of {n_campaigns}",
                    number(one["labels_to_half"]),
                ]
            )
    header = [
        "objective",
        "acquisition",
        "hits",
        "formulas",
        "times random",
        "campaigns above random",
        "labels to half",
    ]
    caption = (
        "Hits at the end of a campaign, means of the campaigns; below “formulas” how many different formulas are among "
        "them, below “labels to half” after how many labels half of all hits were found (a dash: not in every campaign)"
    )
    return Table(caption, header, rows, n_text=2)


def _surrogate_table(surrogate: Mapping[str, Scores]) -> Table:
    rows = [
        [
            f"{title(name)} ({one['unit']})",
            f"{one['n_train']:,}",
            f"{one['n']:,}",
            *(number(one[score]) for score in ("mae", "mean_baseline_mae", "r2")),
            *(percent(one[score]) for score in ("coverage_68", "coverage_95")),
        ]
        for name, one in surrogate.items()
    ]
    header = ["property", "train", "test", "MAE", "MAE of the mean", "R²", "within 1 deviation", "within 1.96"]
    caption = (
        "The surrogate, a Gaussian process, fitted to the train split, on test crystals; 68 % of the errors should be "
        "within 1 and 95 % within 1.96 of the standard deviations that it gives"
    )
    return Table(caption, header, rows)
