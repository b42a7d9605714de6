"""Embeddings by Orb, as the ORB graph tower of CLaC."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from stages.embed.embedder import StructureEmbedder, ase_atoms, prepare_device
from stages.shared.errors import StageError

if TYPE_CHECKING:
    from orb_models.forcefield.direct_regressor import DirectForcefieldRegressor

WEIGHTS = "orb_v3_direct_20_omat.ckpt"


class OrbEmbedder(StructureEmbedder):
    """The 256 atom features of Orb v3 (direct, 20 neighbours, trained on OMat24), averaged over the atoms.

    Rhodes et al., *Orb-v3: atomistic simulation at scale*, arXiv:2504.06231. Orb is not built to be invariant to
    rotation; every crystal is shown in the orientation in which pymatgen reads a CIF.

    Args:
        model: the pretrained network.
        device: where it computes.
    """

    max_atomic_number = 118

    def __init__(self, model: "DirectForcefieldRegressor", device: str) -> None:
        self._model = model
        self._device = device

    def embed_structure(self, structure: Structure) -> NDArray[np.float32]:
        """Return the mean atom features of an ordered crystal, (256,)."""
        import torch
        from orb_models.forcefield.atomic_system import ase_atoms_to_atom_graphs

        device = torch.device(self._device)
        graph = ase_atoms_to_atom_graphs(ase_atoms(structure), self._model.system_config, device=device)
        with torch.no_grad():
            features = self._model.model(graph)["node_features"]  # (n_atoms, 256)
        mean: NDArray[np.float32] = features.mean(dim=0).float().cpu().numpy()
        return mean


def load_orb(directory: Path) -> OrbEmbedder:
    """Return Orb with the weights in `directory`, or else with those that its package downloads.

    Args:
        directory: where `orb_v3_direct_20_omat.ckpt` may lie.

    Raises:
        StageError: the package is not installed, or the weights are not within reach or not right.
    """
    try:
        from orb_models.forcefield import pretrained
    except ImportError:
        raise StageError(
            "Orb is not installed; install orb-models in the version that requirements-extra.txt names"
        ) from None
    device = prepare_device()
    weights = directory / WEIGHTS
    choice = {"weights_path": str(weights)} if weights.is_file() else {}
    try:
        model = pretrained.orb_v3_direct_20_omat(device=device, precision="float32-highest", compile=False, **choice)
    except (OSError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise StageError(f"the weights of Orb cannot be loaded; put them into {weights} ({reason})") from None
    return OrbEmbedder(model, device)
