"""One crystal, its spectrum, and what the spectrum is read from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.crystal_systems import CRYSTAL_SYSTEMS
from models.dos.attention_maps import AttentionMaps, attention_maps, occlusion
from models.dos.transformer import DosTransformer
from models.graph.batch import CrystalBatch
from stages.shared.errors import StageError
from stages.shared.global_inputs import read_global_inputs
from stages.shared.graphs import read_inputs
from stages.shared.params import DosKindParams, Params
from stages.shared.schemas import SPLITS
from stages.shared.tables import read_table

Numbers = NDArray[np.float32]


@dataclass(frozen=True)
class ModelInputs:
    """What the model reads of one crystal.

    Attributes:
        material_id: name.
        formula: reduced.
        crystal: a batch of one.
        crystal_system: (1,) int64 index into `CRYSTAL_SYSTEMS`.
        global_inputs: (1, n_columns).
    """

    material_id: str
    formula: str
    crystal: CrystalBatch
    crystal_system: Tensor
    global_inputs: Tensor


@dataclass(frozen=True)
class Inspection:
    """A crystal's spectrum and where it comes from.

    Attributes:
        inputs: the crystal.
        grid: (n_bins,) cm⁻¹ or eV.
        predicted: (n_bins,).
        true: (n_bins,) NaN in bins that are not known; None where no DOS was delivered.
        maps: attention.
        occlusion: (n_atoms, n_bins) change of the spectrum when a site is not seen; None for a single atom.
    """

    inputs: ModelInputs
    grid: NDArray[np.float64]
    predicted: Numbers
    true: Numbers | None
    maps: AttentionMaps
    occlusion: Numbers | None


def read_crystal(data: Path, material_id: str, params: Params, scratch: Path) -> ModelInputs:
    """Return what the model reads of a crystal.

    Args:
        data: the pipeline's data folder.
        material_id: of a crystal with or without a density of states.
        params: the sections `encoder` and `dos`.
        scratch: folder for temporary files.

    Raises:
        StageError: there is no such crystal, or the graph tower cannot read it.
    """
    crystals = read_table(data / "crystals.parquet", ["material_id", "formula", "crystal_system"])
    rows = crystals.filter(pc.equal(crystals["material_id"], material_id)).to_pylist()
    if not rows:
        raise StageError(f"{data / 'crystals.parquet'} has no crystal {material_id}")
    graphs = read_inputs(data, SPLITS, params.encoder, scratch)
    place = pc.index(graphs.material_ids, material_id).as_py()
    if place < 0:
        raise StageError(f"{material_id} has no graph or embedding; {data / 'graphs_rejected.csv'} may say why")
    names = pa.array([material_id])
    return ModelInputs(
        material_id,
        rows[0]["formula"],
        graphs.batch(np.array([place])),
        torch.tensor([CRYSTAL_SYSTEMS.index(rows[0]["crystal_system"])]),
        torch.from_numpy(read_global_inputs(data, params.dos.global_inputs).of(names)),
    )


def inspect(model: DosTransformer, inputs: ModelInputs, kind: str, setting: DosKindParams, data: Path) -> Inspection:
    """Return spectrum, attention and occlusion of a crystal.

    Args:
        model: trained, in evaluation mode.
        inputs: the crystal.
        kind: `phonon` or `electron`.
        setting: the grid.
        data: the pipeline's data folder.
    """
    arguments = (inputs.crystal, inputs.crystal_system, inputs.global_inputs)
    with torch.no_grad():
        predicted = model.predict(*arguments)[0].numpy()
    can_hide = len(inputs.crystal.atomic_numbers) > 1
    return Inspection(
        inputs,
        np.linspace(setting.minimum, setting.maximum, setting.bins),
        predicted,
        _true_spectrum(data / f"predictions/dos/{kind}.parquet", inputs.material_id),
        attention_maps(model, *arguments),
        occlusion(model, *arguments).numpy() if can_hide else None,
    )


def _true_spectrum(path: Path, material_id: str) -> Numbers | None:
    table = read_table(path, ["material_id", "true", "known"])
    rows = table.filter(pc.equal(table["material_id"], material_id)).to_pylist()
    if not rows:
        return None
    return np.where(rows[0]["known"], rows[0]["true"], np.nan).astype(np.float32)
