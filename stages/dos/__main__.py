"""Train the DOS transformer of one kind: `python -m stages.dos phonon`."""

import sys
from pathlib import Path

from stages.dos.outputs import write_predictions, write_untrained
from stages.shared.dos_kind import chosen_kind
from stages.shared.dos_network import build_model
from stages.shared.dos_task import DosTask, predict
from stages.shared.embeddings import EMBEDDINGS, embedding_width
from stages.shared.encoders import calibrate
from stages.shared.errors import run_stage
from stages.shared.global_inputs import read_global_inputs
from stages.shared.params import load_params
from stages.shared.progress import say
from stages.shared.scratch import scratch_folder
from stages.shared.spectra import read_spectra
from stages.shared.training import train, write_history
from stages.shared.weights import save_weights

DATA = Path("data")


def main() -> None:
    """Read spectra, train, write weights, history and predictions."""
    params = load_params("build_graphs", "encoder", "dos", "dos_kinds")
    kind = chosen_kind(sys.argv[1:], params.dos_kinds)
    inputs = [DATA / name for name in ("graphs", EMBEDDINGS, "crystals.parquet")]
    with scratch_folder(f"dos@{kind}", params, inputs) as scratch:
        examples = read_spectra(DATA, kind, params.dos_kinds[kind], params.encoder, scratch)
        if not len(examples.of_split("train")):
            say(f"{kind}: no crystal of the train split has a density of states, so there is nothing to learn")
            write_untrained(DATA, kind)
            return
        global_inputs = read_global_inputs(DATA, params.dos.global_inputs)
        model = build_model(params, kind, embedding_width(DATA, params.encoder))
        calibrate(model.graph_encoder, examples.of_split("train").graphs)
        state = train(model, DosTask(examples, global_inputs, params.dos), params.dos, scratch, f"dos {kind}")
        config = {name: getattr(params, name).model_dump() for name in ("encoder", "dos")}
        config |= {"cutoff": params.build_graphs.cutoff, "embedding_dim": embedding_width(DATA, params.encoder)}
        config |= {"kind": params.dos_kinds[kind].model_dump()}
        save_weights(DATA / "weights/dos" / kind, model.state_dict(), config)
        write_history(DATA / f"logs/dos/{kind}.csv", state)
        write_predictions(DATA, kind, examples, *predict(model, examples, global_inputs))


if __name__ == "__main__":
    run_stage(main)
