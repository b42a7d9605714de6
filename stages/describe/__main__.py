"""Write data/narratives.parquet and data/describe_rejected.csv: `python -m stages.describe`."""

from collections import Counter
from pathlib import Path

from stages.describe.views import ORIGINAL, ROBOCRYSTALLOGRAPHER, Undescribed, delivered_views, describe_cif
from stages.shared.errors import run_stage
from stages.shared.parallel import map_ordered
from stages.shared.params import load_params
from stages.shared.progress import say
from stages.shared.schemas import NARRATIVES_SCHEMA
from stages.shared.tables import iterate_rows, row_writer, write_csv

CRYSTALS = Path("data/crystals.parquet")
NARRATIVES = Path("data/narratives.parquet")
REJECTED = Path("data/describe_rejected.csv")
COLUMNS = ["material_id", "source", "source_id", "cif", "narrative", "explanation", "description"]


def main() -> None:
    """Take over the texts that came with the crystals and describe the crystals that have no description."""
    params = load_params("describe").describe
    todo = (
        (crystal["material_id"], crystal["cif"])
        for crystal in iterate_rows(CRYSTALS, COLUMNS)
        if all(view.view != ROBOCRYSTALLOGRAPHER for view in delivered_views(crystal))
    )
    results = map_ordered(describe_cif, todo, params.chunk_size, "describe")

    counts: Counter[str] = Counter()
    rejected = []
    with row_writer(NARRATIVES, NARRATIVES_SCHEMA) as table:
        for crystal in iterate_rows(CRYSTALS, COLUMNS):
            views = list(delivered_views(crystal))
            counts.update(["crystals", *(view.view for view in views)])
            if all(view.view != ROBOCRYSTALLOGRAPHER for view in views):
                result = next(results)
                if isinstance(result, Undescribed):
                    rejected.append((crystal["source"], crystal["source_id"], "describe", result.reason))
                else:
                    views.append(result)
            for view in views:
                table.append(vars(view))

    write_csv(REJECTED, ("source", "source_id", "stage", "reason"), rejected)
    described = counts["crystals"] - counts[ROBOCRYSTALLOGRAPHER] - len(rejected)
    say(
        f"{counts['crystals']} crystals = {counts[ROBOCRYSTALLOGRAPHER]} delivered with a description + {described} "
        f"described here + {len(rejected)} rejected; {counts[ORIGINAL]} have a narrative"
    )


if __name__ == "__main__":
    run_stage(main)
