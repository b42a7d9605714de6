"""What a graph encoder can learn from structures that have no label: missing elements and true bond lengths."""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.graph.batch import CrystalBatch, GraphEncoder
from models.graph.element_table import N_ELEMENTS
from models.graph.radial import BesselBasis, edge_length
from models.layers import MLP


def corrupt(crystals: CrystalBatch, masked: Tensor, displacement: Tensor) -> CrystalBatch:
    """Return the crystals with some elements hidden and all atoms displaced; the edges join the same atoms.

    Args:
        crystals: n_atoms atoms.
        masked: (n_atoms,) True where the element becomes 0, which stands for none.
        displacement: (n_atoms, 3) Å.
    """
    step = torch.linalg.solve(crystals.lattice[crystals.batch].transpose(1, 2), displacement[:, :, None])[:, :, 0]
    occupancy = crystals.occupancy
    if occupancy is not None:
        nothing = F.one_hot(torch.zeros_like(crystals.atomic_numbers), N_ELEMENTS + 1).to(occupancy.dtype)
        occupancy = torch.where(masked[:, None], nothing, occupancy)
    return replace(
        crystals,
        atomic_numbers=crystals.atomic_numbers.masked_fill(masked, 0),
        frac_coords=crystals.frac_coords + step,
        occupancy=occupancy,
    )


class StructurePretraining(nn.Module):
    r"""Name the hidden elements and undo the displacements, from the features of the atoms.

    $$ \mathcal L = \frac{1}{|M|} \sum_{i \in M} -\ln p(Z_i \mid h_i)
                  + \frac{1}{E} \sum_{e = (i, j)} \left[ \frac{d_e - \tilde d_e}{s}
                  - f(h_i + h_j, |h_i - h_j|, \tilde d_e) \right]^2 $$

    where $\tilde d$ are the lengths of the edges between displaced atoms and $s$ is the scale of the displacements.
    Masked elements: Hu et al., *Strategies for Pre-training Graph Neural Networks*, ICLR 2020, arXiv:1905.12265,
    section 3.1.2. Lengths instead of displacements, which an invariant encoder cannot say: Liu, Guo and Tang,
    *Molecular Geometry Pretraining with SE(3)-Invariant Denoising Distance Matching*, ICLR 2023, arXiv:2206.13602,
    with one scale of noise.

    Args:
        graph_encoder: what is to be trained.
        noise: s, Å.
        cutoff: Å, of the graphs.
        n_radial: radial functions of the noisy length.
    """

    def __init__(self, graph_encoder: GraphEncoder, noise: float, cutoff: float, n_radial: int = 16) -> None:
        super().__init__()
        self.noise = noise
        self.graph_encoder = graph_encoder
        self.element_head = nn.Linear(graph_encoder.dim, N_ELEMENTS + 1)
        self.radial_basis = BesselBasis(n_radial, cutoff)
        self.length_head = MLP(2 * graph_encoder.dim + n_radial + 1, graph_encoder.dim, 1)

    def forward(self, corrupted: CrystalBatch, original: CrystalBatch, masked: Tensor) -> Tensor:
        """Return the loss, a scalar.

        Args:
            corrupted: of `corrupt`.
            original: the same crystals as they were.
            masked: (n_atoms,) True where the element is hidden; where none is, the lengths alone count.
        """
        nodes = self.graph_encoder(corrupted).nodes
        noisy, true = edge_length(corrupted.edge_vector()), edge_length(original.edge_vector())
        from_ends = self._of_edges(nodes, corrupted, noisy)
        loss = F.mse_loss(self.length_head(from_ends).squeeze(-1), (true - noisy) / self.noise)
        if masked.any():
            loss = loss + F.cross_entropy(self.element_head(nodes[masked]), original.atomic_numbers[masked])
        return loss

    def _of_edges(self, nodes: Tensor, crystals: CrystalBatch, length: Tensor) -> Tensor:
        """Features of the edges, the same from either end, (n_edges, 2 d + n_radial + 1)."""
        first, second = nodes[crystals.edge_source], nodes[crystals.edge_target]
        return torch.cat([first + second, (first - second).abs(), self.radial_basis(length)], dim=1)
