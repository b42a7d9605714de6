"""Embeddings by EquiformerV2, as in Graph-Text CLIP."""

from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from stages.embed.embedder import StructureEmbedder, ase_atoms, prepare_device
from stages.shared.errors import StageError

if TYPE_CHECKING:
    from fairchem.core.models.equiformer_v2.equiformer_v2 import EquiformerV2Backbone

WEIGHTS = "equiformer_v2.pt"
_BACKBONE = "backbone."


class EquiformerV2Embedder(StructureEmbedder):
    """The atom features of EquiformerV2 that no rotation changes (degree 0), averaged over the atoms.

    Liao et al., *EquiformerV2: Improved Equivariant Transformer for Scaling to Higher-Degree Representations*,
    ICLR 2024, arXiv:2306.12059; trained on crystals by Barroso-Luque et al., arXiv:2410.12771.

    Args:
        backbone: the pretrained network without its output heads.
        device: where it computes.
    """

    def __init__(self, backbone: "EquiformerV2Backbone", device: str) -> None:
        self._backbone = backbone.to(device).eval().requires_grad_(False)  # its forward turns gradients on
        self._device = device

    @property
    def max_atomic_number(self) -> int:
        """The heaviest element the model knows."""
        return int(self._backbone.max_num_elements) - 1

    def embed_structure(self, structure: Structure) -> NDArray[np.float32]:
        """Return the mean degree-0 atom features of an ordered crystal, (embedding_dim,)."""
        import torch
        from fairchem.core.datasets import data_list_collater
        from fairchem.core.preprocessing import AtomsToGraphs

        to_graph = AtomsToGraphs(r_energy=False, r_forces=False, r_distances=False, r_edges=False, r_pbc=True)
        batch = data_list_collater([to_graph.convert(ase_atoms(structure))], otf_graph=True).to(self._device)
        torch.manual_seed(0)  # the model draws the frame of every edge at random
        features = self._backbone(batch)["node_embedding"].embedding  # (n_atoms, (l_max + 1)², d)
        mean: NDArray[np.float32] = features[:, 0].mean(dim=0).float().cpu().numpy()
        return mean


def load_equiformer_v2(directory: Path) -> EquiformerV2Embedder:
    """Return EquiformerV2 with the checkpoint in `directory`, which its authors hand out on request only.

    Args:
        directory: where `equiformer_v2.pt` lies, an OMat24 checkpoint such as eqV2_31M_omat.pt.

    Raises:
        StageError: the package is not installed, or the checkpoint is missing or of another kind.
    """
    try:
        from fairchem.core.models.equiformer_v2.equiformer_v2 import EquiformerV2Backbone
    except ImportError:
        raise StageError(
            "EquiformerV2 is not installed; install fairchem-core in the version that requirements-extra.txt names, in "
            "an environment of its own"
        ) from None
    path = directory / WEIGHTS
    checkpoint = _read_checkpoint(path)
    try:
        config = dict(checkpoint["config"]["model"]["backbone"])
        state = checkpoint["state_dict"]
    except (KeyError, TypeError):
        raise StageError(f"{path} is no OMat24 checkpoint of EquiformerV2, for example eqV2_31M_omat.pt") from None
    config.pop("model", None)
    weights = {name.rpartition(_BACKBONE)[2]: tensor for name, tensor in state.items() if _BACKBONE in name}
    try:
        backbone = EquiformerV2Backbone(**{**config, "otf_graph": True, "use_pbc": True})
        backbone.load_state_dict(weights)
    except (TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise StageError(f"{path} does not fit the installed version of fairchem-core ({reason})") from None
    return EquiformerV2Embedder(backbone, prepare_device())


def _read_checkpoint(path: Path) -> Any:
    """Read tensors and plain values, nothing that could run code."""
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise StageError(
            f"{path} is missing; put an OMat24 checkpoint of EquiformerV2 there, for example eqV2_31M_omat.pt"
        ) from None
    except (UnpicklingError, RuntimeError, EOFError) as error:
        reason = str(error).strip().splitlines()[0]
        raise StageError(f"{path} cannot be read as tensors and plain values ({reason})") from None
