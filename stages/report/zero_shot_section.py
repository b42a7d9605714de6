"""The section on zero-shot evaluation: retrieval and multiple choice."""

from pathlib import Path
from typing import Any

from stages.report.formatting import count, number, percent, title
from stages.report.page import Figure, Section, Table, missing_section
from stages.report.sentences import question_verdict, retrieval_sentence
from stages.shared.text_files import read_json

Metrics = dict[str, Any]

DIRECTIONS = {"text_to_crystal": "text → crystal", "crystal_to_text": "crystal → text"}
RELEASED = "released_"
"""What the names of questions begin with that come with the narratives."""
SCORES = ("top_1", "top_3", "top_10", "mrr")


def zero_shot_sections() -> list[Section]:
    """Tell what the pretrained towers find and answer without further training."""
    heading, path = "Zero-shot retrieval", Path("metrics/zero_shot.json")
    if not path.exists():
        return [missing_section("retrieval", heading, path)]
    metrics = read_json(path)
    return [_retrieval(heading, metrics), _questions(metrics["questions"])]


def _retrieval(heading: str, metrics: Metrics) -> Section:
    main = metrics["main"]
    if main["text_to_crystal"]["n"] == 0:
        return Section("retrieval", heading, ["No test crystal has both a graph and a text."])
    paragraphs = [
        retrieval_sentence(main["text_to_crystal"], "a text", "crystal"),
        retrieval_sentence(main["crystal_to_text"], "a crystal", "text"),
        "Crystals with the same structure or the same text count as right answers for each other. "
        "A pool of N holds the right answer and N − 1 others drawn at random, for every query.",
    ]
    figure = Figure(
        Path("plots/zero_shot/retrieval.png"),
        "Share of queries with the right answer among the first k, against k, in both directions, above chance: "
        f"{percent(main['text_to_crystal']['top_10'])} of the texts find their crystal among the first ten.",
    )
    rows, too_large = [], []
    for gallery in (name for name in metrics if name != "questions"):
        for direction in DIRECTIONS:
            scores = metrics[gallery][direction]
            rows.append(_row(gallery, direction, "whole gallery", scores))
            for pool in sorted((key for key in scores if key.startswith("pool_")), key=lambda key: int(key[5:])):
                size = pool.removeprefix("pool_")
                if scores[pool]["n"]:
                    rows.append(_row(gallery, direction, f"pools of {size}", scores[pool]))
                elif size not in too_large:
                    too_large.append(size)
    if too_large:
        paragraphs.append(f"There are too few different test crystals for pools of {', '.join(too_large)}.")
    table = Table(
        "Retrieval scores, below each its 95 % interval and chance; gallery `main` has each crystal's narrative, or "
        "robocrystallographer's description where there is none",
        ["gallery", "direction", "candidates", "queries", "top-1", "top-3", "top-10", "MRR"],
        rows,
        n_text=3,
    )
    return Section("retrieval", heading, paragraphs, figures=[figure], tables=[table])


def _row(gallery: str, direction: str, candidates: str, scores: Metrics) -> list[str]:
    cells = []
    for name in SCORES:
        show = number if name == "mrr" else percent
        low, high = show(scores[f"{name}_low"]), show(scores[f"{name}_high"])
        cells.append(f"{show(scores[name])}\n{low} to {high}\n{show(scores[f'{name}_chance'])}")
    return [gallery, DIRECTIONS[direction], candidates, f"{scores['n']:,}", *cells]


def _questions(metrics: Metrics) -> Section:
    paragraphs = [
        "The model compares the crystal with statements such as “This material is an oxide.” and takes the closest. "
        "The wording of the options gives nothing away: all crystals of a block are asked over the same options, and "
        "where the options are classes, the score is the mean over classes. So whoever reads only the options is right "
        "as often as chance."
    ]
    if any(kind.startswith(RELEASED) for kind in metrics):
        paragraphs.append(
            "Questions called released are those that come with the narratives, in their own words. These can give the "
            "answer away: what the text-only scorer gets right above chance, it gets from the wording alone."
        )
    verdicts = [question_verdict(title(kind), scores) for kind, scores in metrics.items()]
    rows = [
        [
            title(kind),
            f"{scores['n']:,}",
            percent(scores["accuracy"]),
            f"{percent(scores['accuracy_low'])} to {percent(scores['accuracy_high'])}",
            percent(scores["text_only_accuracy"]),
            percent(scores["chance"]),
        ]
        for kind, scores in metrics.items()
    ]
    asked = sum(scores["n"] for scores in metrics.values())
    figure = Figure(
        Path("plots/zero_shot/questions.png"),
        f"Accuracy on {count(asked, 'question')} by kind, with 95 % intervals: the model, a scorer that reads only the "
        "options, and chance.",
    )
    header = ["question", "asked", "model", "95 % interval", "text-only scorer", "chance"]
    table = Table("Accuracy by kind of question", header, rows)
    return Section("questions", "Zero-shot questions", paragraphs, verdicts, [figure], [table])
