"""How well spread tells error, for one kind of spectrum: `python -m stages.uncertainty phonon`."""

import sys
from pathlib import Path

from stages.shared.dos_kind import chosen_kind
from stages.shared.embeddings import EMBEDDINGS
from stages.shared.errors import StageError, run_stage
from stages.shared.global_inputs import read_global_inputs
from stages.shared.params import load_params
from stages.shared.scratch import scratch_folder
from stages.shared.spectra import read_spectra
from stages.shared.text_files import write_json
from stages.uncertainty.charts import draw_sparsification
from stages.uncertainty.members import train_members
from stages.uncertainty.scores import by_method, uncertainty_scores

DATA = Path("data")


def main() -> None:
    """Write metrics/uncertainty/<kind>.json and plots/uncertainty/<kind>.png."""
    params = load_params("build_graphs", "encoder", "dos", "dos_kinds", "uncertainty")
    kind = chosen_kind(sys.argv[1:], params.dos_kinds)
    inputs = [DATA / name for name in ("graphs", EMBEDDINGS, "crystals.parquet")]
    with scratch_folder(f"uncertainty@{kind}", params, inputs) as scratch:
        examples = read_spectra(DATA, kind, params.dos_kinds[kind], params.encoder, scratch)
        if not all(len(examples.of_split(split)) for split in ("train", "val", "test")):
            raise StageError(f"{kind}: train, val and test each need a crystal with a density of states")
        global_inputs = read_global_inputs(DATA, params.dos.global_inputs)
        members = train_members(DATA, params, kind, examples, global_inputs, scratch)
        methods = by_method(members, examples)
        write_json(Path(f"metrics/uncertainty/{kind}.json"), uncertainty_scores(methods))
        draw_sparsification(Path(f"plots/uncertainty/{kind}.png"), methods, kind)


if __name__ == "__main__":
    run_stage(main)
