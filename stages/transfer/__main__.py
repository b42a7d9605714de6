"""Learning curves with and without pretraining, and a new crystal system: `python -m stages.transfer phonon`."""

import sys
from pathlib import Path

from stages.shared.dos_kind import chosen_kind
from stages.shared.embeddings import EMBEDDINGS
from stages.shared.errors import run_stage
from stages.shared.global_inputs import read_global_inputs
from stages.shared.params import load_params
from stages.shared.scratch import scratch_folder
from stages.shared.spectra import COLUMNS
from stages.shared.text_files import write_json
from stages.transfer.charts import draw_curves
from stages.transfer.curves import curve_scores, learning_curves
from stages.transfer.few_shot import few_shot_scores
from stages.transfer.runs import Setting, check_model, read_examples
from stages.transfer.starts import train_starts

DATA = Path("data")


def main() -> None:
    """Write metrics/transfer/<kind>.json and plots/transfer/<kind>.png."""
    params = load_params("build_graphs", "encoder", "dos", "dos_kinds", "transfer")
    kind = chosen_kind(sys.argv[1:], params.dos_kinds)
    check_model(params)
    inputs = [DATA / name for name in ("graphs", EMBEDDINGS, "crystals.parquet")]
    with scratch_folder(f"transfer@{kind}", params, inputs) as scratch:
        settings = {
            name: Setting(params, name, read_examples(DATA, params, name, scratch), DATA, scratch / name)
            for name in COLUMNS
        }
        global_inputs = read_global_inputs(DATA, params.dos.global_inputs)
        starts = train_starts(settings, kind, global_inputs)
        curves = learning_curves(settings[kind], starts, global_inputs)
        few_shot = few_shot_scores(settings[kind], global_inputs)
    scores = curve_scores(curves)
    write_json(Path(f"metrics/transfer/{kind}.json"), {"learning_curves": scores, "few_shot": few_shot})
    draw_curves(Path(f"plots/transfer/{kind}.png"), scores, kind)


if __name__ == "__main__":
    run_stage(main)
