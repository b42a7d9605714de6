"""Predicted and true spectra of one kind, with what two simple baselines make of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.evaluate.dos_baselines import network_predictions
from stages.evaluate.predictions import as_spectra, baseline_predictions, load_predictions
from stages.evaluate.spectra_metrics import Known, Spectra
from stages.shared.params import DosKindParams, EvaluateParams

_BRANCHES = ("predicted", "predicted_global")


@dataclass(frozen=True)
class PredictedSpectra:
    """n crystals, sorted by material_id.

    Attributes:
        material_ids: n names.
        formulas: n reduced formulas.
        crystal_systems: n names.
        splits: (n,) names.
        true: (n, n_bins), normalised as the kind wants; zero where not known.
        known: (n, n_bins) False where the source delivered nothing.
        delivered_states: (n,) integral of what the source delivered, states per atom.
        predictions: (n, n_bins) each: `predicted`, `predicted_global`, the networks of `dos_baselines`,
            `mean_baseline`, `composition_forest`.
    """

    material_ids: list[str]
    formulas: list[str]
    crystal_systems: list[str]
    splits: NDArray[np.object_]
    true: Spectra
    known: Known
    delivered_states: NDArray[np.float64]
    predictions: Mapping[str, Spectra]

    def __len__(self) -> int:
        """Return the number of crystals."""
        return len(self.material_ids)

    def of_split(self, split: str) -> "PredictedSpectra":
        """Return the crystals of `train`, `val` or `test`."""
        return self.take(np.flatnonzero(self.splits == split))

    def take(self, rows: NDArray[np.intp]) -> "PredictedSpectra":
        """Return some crystals."""
        return PredictedSpectra(
            [self.material_ids[row] for row in rows],
            [self.formulas[row] for row in rows],
            [self.crystal_systems[row] for row in rows],
            self.splits[rows],
            self.true[rows],
            self.known[rows],
            self.delivered_states[rows],
            {name: spectra[rows] for name, spectra in self.predictions.items()},
        )


def load_spectra(kind: str, setting: DosKindParams, params: EvaluateParams) -> PredictedSpectra:
    """Read the predictions of a kind and of its baseline networks, and fit the two simple baselines to the train split.

    A bin that the source of a training crystal did not deliver counts for the baselines as the mean of those that did.

    Args:
        kind: `phonon` or `electron`.
        setting: the grid.
        params: of the forest.
    """
    table = load_predictions(Path(f"data/predictions/dos/{kind}.parquet"), Path("data/crystals.parquet"))
    splits = table["split"].to_numpy(dtype=object)
    true = as_spectra(table["true"], setting.bins)
    known = as_spectra(table["known"], setting.bins).astype(bool)
    complete = fill_unknown(true, known, splits == "train")
    predictions = {name: as_spectra(table[name], setting.bins) for name in _BRANCHES}
    networks = Path(f"data/predictions/dos_baselines/{kind}.parquet")
    predictions |= network_predictions(networks, table["material_id"].tolist(), setting.bins)
    predictions |= baseline_predictions(table["formula"], complete, splits == "train", params)
    return PredictedSpectra(
        table["material_id"].tolist(),
        table["formula"].tolist(),
        table["crystal_system"].tolist(),
        splits,
        true,
        known,
        table["delivered_states"].to_numpy(dtype=np.float64),
        predictions,
    )


def fill_unknown(true: Spectra, known: Known, is_train: NDArray[np.bool_]) -> Spectra:
    """Put into bins that are not known the mean of the training crystals that know them, 0 where none does.

    Args:
        true: (n, n_bins).
        known: (n, n_bins).
        is_train: (n,) True for rows of the train split.
    """
    counts = known[is_train].sum(axis=0)
    means = np.where(known, true, 0.0)[is_train].sum(axis=0) / np.maximum(counts, 1)
    return np.where(known, true, means)
