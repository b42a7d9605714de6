"""Embeddings by CHGNet, whose weights come inside its package."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from stages.embed.embedder import NoEmbedding, StructureEmbedder
from stages.shared.errors import StageError

if TYPE_CHECKING:
    from chgnet.model.model import CHGNet

VERSION = "0.3.0"
_WEIGHTS = "pretrained/0.3.0/chgnet_0.3.0_e29f68s314m37.pth.tar"


class CHGNetEmbedder(StructureEmbedder):
    """The 64 atom features of CHGNet 0.3.0 behind its last convolution, averaged over the atoms.

    CHGNet's own `crystal_fea` is their sum, which a supercell multiplies.

    Deng et al., *CHGNet as a pretrained universal neural network potential for charge-informed atomistic modelling*,
    Nature Machine Intelligence 5, 1031 (2023), doi 10.1038/s42256-023-00716-3.

    Args:
        model: the pretrained network.
    """

    def __init__(self, model: "CHGNet") -> None:
        self._model = model.eval()

    @property
    def max_atomic_number(self) -> int:
        """The heaviest element the model knows."""
        return int(self._model.atom_embedding.embedding.num_embeddings)

    def embed_structure(self, structure: Structure) -> NDArray[np.float32]:
        """Return the mean atom features of an ordered crystal, (64,).

        Raises:
            NoEmbedding: an atom has no neighbour within CHGNet's cutoff.
        """
        import torch

        cutoff = self._model.graph_converter.atom_graph_cutoff
        centers, *_ = structure.get_neighbor_list(r=cutoff)
        n_isolated = len(structure) - len(np.unique(centers))
        if n_isolated:
            raise NoEmbedding(f"{n_isolated} of its atoms have no neighbour within the model's cutoff of {cutoff} Å")
        with torch.no_grad(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Converting a tensor with requires_grad=True to a scalar")
            graph = self._model.graph_converter(structure)
            total = self._model([graph], return_crystal_feas=True)["crystal_fea"]  # (1, 64)
        mean: NDArray[np.float32] = total[0].numpy() / np.float32(len(structure))
        return mean


def load_chgnet() -> CHGNetEmbedder:
    """Return CHGNet with its published weights, on the processor.

    Raises:
        StageError: the package is not installed, or is one without these weights.
    """
    try:
        import chgnet
        from chgnet.model.model import CHGNet
    except ImportError:
        raise StageError("CHGNet is not installed; run `pip install -r requirements-extra.txt`") from None
    import torch

    from stages.shared.runtime import use_reproducible_kernels

    use_reproducible_kernels()
    path = Path(chgnet.__file__).parent / _WEIGHTS
    if not path.is_file():
        raise StageError(f"this CHGNet package has no weights of version {VERSION}; install the one pinned for Xtalk")
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    return CHGNetEmbedder(CHGNet.from_dict(checkpoint["model"], version=VERSION))
