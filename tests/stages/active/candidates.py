"""Candidates on a line: what is near in the descriptors has a similar property."""

import numpy as np

from stages.active.candidates import Candidates
from stages.shared.params import ActiveParams, load_params
from tests.pipeline.imports import ROOT

N = 60
GAP = np.linspace(0.0, 4.0, N)  # eV
FREQUENCY = np.linspace(50.0, 500.0, N)[::-1].copy()  # cm⁻¹


def params(**changes: object) -> ActiveParams:
    """The parameters of the project in a smaller size, with some changed."""
    own = load_params("active", path=ROOT / "params.yaml").active
    small = {"initial_labels": 6, "batch_size": 3, "rounds": 5, "campaigns": 3}
    return ActiveParams.model_validate(own.model_dump() | small | changes)


def on_a_line(unknown: int = 0) -> Candidates:
    """N crystals whose gap rises with the descriptor and whose frequency falls; that of the last ones is not known."""
    frequency = FREQUENCY.copy()
    frequency[N - unknown :] = np.nan
    descriptors = np.linspace(-1.7, 1.7, N)[:, None]
    return Candidates(
        material_ids=[f"m-{place:02d}" for place in range(N)],
        formulas=[f"X{place // 2}" for place in range(N)],
        splits=np.array(["train", "train", "test"] * (N // 3)),
        descriptors=descriptors,
        properties={"band_gap": GAP, "phonon_mean_frequency": frequency},
    )
