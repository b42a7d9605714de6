"""Write data/narratives.parquet and data/describe_rejected.csv: `python -m stages.describe`."""

from pathlib import Path

from stages.describe.views import ORIGINAL, ROBOCRYSTALLOGRAPHER, Undescribed, View, delivered_views, describe_cif
from stages.shared.errors import run_stage
from stages.shared.parallel import map_ordered
from stages.shared.params import load_params
from stages.shared.progress import say
from stages.shared.schemas import NARRATIVES_SCHEMA
from stages.shared.tables import read_table, write_csv, write_table

CRYSTALS = Path("data/crystals.parquet")
NARRATIVES = Path("data/narratives.parquet")
REJECTED = Path("data/describe_rejected.csv")
COLUMNS = ["material_id", "source", "source_id", "cif", "narrative", "explanation", "description"]


def main() -> None:
    """Take over the texts that came with the crystals and describe the crystals that have no description."""
    params = load_params("describe").describe
    crystals = {crystal["material_id"]: crystal for crystal in read_table(CRYSTALS, COLUMNS).to_pylist()}
    views = list(delivered_views(crystals.values()))

    described = {view.material_id for view in views if view.view == ROBOCRYSTALLOGRAPHER}
    todo = [(name, crystal["cif"]) for name, crystal in crystals.items() if name not in described]
    results = list(map_ordered(describe_cif, todo, params.chunk_size, "describe"))
    views += [result for result in results if isinstance(result, View)]
    failures = [result for result in results if isinstance(result, Undescribed)]

    views.sort(key=lambda view: (view.material_id, view.view))
    columns = {name: [getattr(view, name) for view in views] for name in NARRATIVES_SCHEMA.names}
    write_table(NARRATIVES, columns, NARRATIVES_SCHEMA)
    rejected = [
        (
            crystals[failure.material_id]["source"],
            crystals[failure.material_id]["source_id"],
            "describe",
            failure.reason,
        )
        for failure in failures
    ]
    write_csv(REJECTED, ("source", "source_id", "stage", "reason"), rejected)
    say(
        f"{len(crystals)} crystals = {len(described)} delivered with a description + {len(todo) - len(failures)} "
        f"described here + {len(failures)} rejected; {sum(view.view == ORIGINAL for view in views)} have a narrative"
    )


if __name__ == "__main__":
    run_stage(main)
