"""The DOS transformer that `dos` trained."""

from pathlib import Path
from typing import Any

from models.dos.transformer import DosTransformer
from stages.shared.dos_network import build_model
from stages.shared.embeddings import embedding_width
from stages.shared.errors import StageError
from stages.shared.params import Params
from stages.shared.weights import load_weights


def load_model(data: Path, params: Params, kind: str) -> DosTransformer:
    """Return the trained model of a kind, in evaluation mode.

    Args:
        data: the pipeline's data folder.
        params: the sections `build_graphs`, `encoder`, `dos` and `dos_kinds`.
        kind: `phonon` or `electron`.

    Raises:
        StageError: there are no weights, or they are not of the model that params.yaml describes.
    """
    folder = data / "weights/dos" / kind
    state, config = load_weights(folder)
    if not state:
        raise StageError(f"{folder} is empty: no crystal of the train split has a {kind} DOS, so nothing was trained")
    described: dict[str, Any] = {"encoder": params.encoder.model_dump(), "dos": params.dos.model_dump()}
    described |= {"cutoff": params.build_graphs.cutoff, "kind": params.dos_kinds[kind].model_dump()}
    differing = [name for name, value in described.items() if config.get(name) != value]
    if differing:
        raise StageError(
            f"{folder} was trained with another {' and '.join(differing)} than params.yaml; run `dvc repro`"
        )
    model = build_model(params, kind, embedding_width(data, params.encoder))
    model.load_state_dict(state)
    return model.eval()
