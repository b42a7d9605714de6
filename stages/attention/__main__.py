"""See what a spectrum is read from: `python -m stages.attention phonon mp-149` (after `dvc repro`, not part of it)."""

import sys
import tempfile
from pathlib import Path

from stages.attention.charts import draw_attention
from stages.attention.inspection import inspect, read_crystal
from stages.attention.model import load_model
from stages.attention.outputs import write_elements, write_sites
from stages.attention.projected import read_projected
from stages.shared.errors import StageError, run_stage
from stages.shared.params import load_params
from stages.shared.progress import say

DATA = Path("data")


def main() -> None:
    """Write plots/attention/<kind>/<material_id>_sites.csv, _elements.csv and .png."""
    params = load_params("build_graphs", "encoder", "dos", "dos_kinds")
    if len(sys.argv) != 3 or sys.argv[1] not in params.dos_kinds:
        raise StageError(f"give a kind of DOS ({', '.join(params.dos_kinds)}) and a material_id")
    kind, material_id = sys.argv[1:]
    model = load_model(DATA, params, kind)
    with tempfile.TemporaryDirectory() as scratch:
        crystal = read_crystal(DATA, material_id, params, Path(scratch))
    seen = inspect(model, crystal, kind, params.dos_kinds[kind], DATA)
    projected = read_projected(DATA / "crystals.parquet", kind, material_id, seen.grid)

    plot = Path(f"plots/attention/{kind}/{material_id}")
    write_sites(plot.with_name(f"{plot.name}_sites.csv"), seen)
    correlations = write_elements(plot.with_name(f"{plot.name}_elements.csv"), seen, projected)
    draw_attention(plot.with_name(f"{plot.name}.png"), kind, params.dos_kinds[kind].unit, seen)
    for element, correlation in correlations.items():
        say(f"{element}: correlation {correlation:.2f} between its attention and its share of the projected DOS")
    say(f"wrote {plot}_sites.csv, _elements.csv and .png")


if __name__ == "__main__":
    run_stage(main)
