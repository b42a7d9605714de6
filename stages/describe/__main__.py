"""Write data/narratives.parquet and data/describe_rejected.csv: `python -m stages.describe`."""

from collections import Counter
from contextlib import closing
from pathlib import Path

from stages.describe.papers import PaperTexts
from stages.describe.views import ROBOCRYSTALLOGRAPHER, Undescribed, all_views, delivered_views, describe_cif, summary
from stages.shared.errors import run_stage
from stages.shared.parallel import map_ordered
from stages.shared.params import load_params
from stages.shared.progress import say
from stages.shared.schemas import NARRATIVES_SCHEMA
from stages.shared.tables import iterate_rows, row_writer
from stages.shared.text_files import write_csv

CRYSTALS = Path("data/crystals.parquet")
NARRATIVES = Path("data/narratives.parquet")
REJECTED = Path("data/describe_rejected.csv")
COLUMNS = ["material_id", "source", "source_id", "formula", "cif", "narrative", "explanation", "description"]


def main() -> None:
    """Take over the texts that there are of the crystals, and describe the crystals that have no description."""
    params = load_params("describe").describe
    todo = (
        (crystal["material_id"], crystal["cif"])
        for crystal in iterate_rows(CRYSTALS, COLUMNS)
        if all(view.view != ROBOCRYSTALLOGRAPHER for view in delivered_views(crystal))
    )
    results = map_ordered(describe_cif, todo, params.chunk_size, "describe", at_once=True)

    counts: Counter[str] = Counter()
    rejected = []
    paper_texts = PaperTexts(Path(params.papers_directory))
    with closing(paper_texts) as papers, row_writer(NARRATIVES, NARRATIVES_SCHEMA) as table:
        for crystal in iterate_rows(CRYSTALS, COLUMNS):
            views = all_views(crystal, papers)
            counts.update(["crystals", *(view.view for view in views)])
            if all(view.view != ROBOCRYSTALLOGRAPHER for view in views):
                result = next(results)
                if isinstance(result, Undescribed):
                    rejected.append((crystal["source"], crystal["source_id"], "describe", result.reason))
                else:
                    views.append(result)
            for view in views:
                table.append(vars(view))
        unused = [("papers", row, "describe", reason) for row, reason in papers.rejected()]

    write_csv(REJECTED, ("source", "source_id", "stage", "reason"), [*rejected, *unused])
    for sentence in summary(counts, len(rejected), len(unused)):
        say(sentence)


if __name__ == "__main__":
    run_stage(main)
