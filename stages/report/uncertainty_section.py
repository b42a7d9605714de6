"""The section on how sure the DOS transformer is, where somebody has measured it."""

from collections.abc import Iterable
from pathlib import Path

from stages.report.formatting import number, percent
from stages.report.page import Figure, Section, Table
from stages.shared.text_files import read_json

METHODS = {"ensemble": "ensemble of seeds", "dropout": "dropout active"}
COVERAGES = ("coverage_68", "coverage_95", "calibrated_coverage_68", "calibrated_coverage_95")


def uncertainty_sections(kinds: Iterable[str]) -> list[Section]:
    """Tell how well the spread of several answers tells the error; no section where that is not known.

    Args:
        kinds: of densities of states, in the order of the page.
    """
    paths = {kind: Path(f"metrics/uncertainty/{kind}.json") for kind in kinds}
    results = {kind: read_json(path) for kind, path in paths.items() if path.exists()}
    if not results:
        return []
    rows = [
        [
            f"{kind} DOS, {label}",
            f"{scores[name]['n']:,}",
            *(number(scores[name][score]) for score in ("r2", "rmse")),
            *(percent(scores[name][score]) for score in COVERAGES),
            *(number(scores[name][score]) for score in ("rank_correlation", "sparsification_error")),
        ]
        for kind, scores in results.items()
        for name, label in METHODS.items()
    ]
    header = ["answers from", "test crystals", "R²", "RMSE", "68 %", "95 %", "calibrated 68 %", "calibrated 95 %"]
    caption = (
        "The mean of the answers and their spread on the test split. Below 68 % and 95 %: the share of bins whose "
        "error is within 1 and 1.96 standard deviations of the answers, first as they come, then calibrated on val. "
        "Rank correlation is that between the spread of a crystal's answers and its error, 1 is best; the "
        "sparsification error is 0 where the spread ranks the crystals as the error does"
    )
    table = Table(caption, [*header, "rank correlation", "sparsification error"], rows)
    paragraphs = [
        "Several answers to the same crystal differ, from models of different seeds or from one model with dropout "
        "active. Where they differ much, the error should be large."
    ]
    figures = [
        Figure(
            Path(f"plots/uncertainty/{kind}.png"),
            f"{kind.capitalize()} DOS: the error of the test crystals that are left when the most doubtful are taken "
            "away, for each method, with the best that is possible.",
        )
        for kind in results
    ]
    return [Section("uncertainty", "How sure the DOS transformer is", paragraphs, figures=figures, tables=[table])]
