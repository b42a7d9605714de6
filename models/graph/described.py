"""A graph encoder whose crystal vector also knows what can be said of a crystal without learning."""

import torch
from torch import Tensor

from models.crystal_descriptors import N_DESCRIPTORS, crystal_descriptors
from models.graph.batch import CrystalBatch, CrystalFeatures, GraphEncoder
from models.layers import MLP

_LEAST_DEVIATION = 1e-6
_FARTHEST = 10.0  # standard deviations; a crystal unlike all others must not drive the map out of its range


class Described(GraphEncoder):
    r"""Add a trained map of the crystal's descriptors to the crystal vector of another encoder.

    $$ g \leftarrow g + \mathrm{MLP}\big( (x - \mu) / \sigma \big) $$

    with the descriptors $x$ of `crystal_descriptors` and their mean $\mu$ and standard deviation $\sigma$ over training
    crystals. The mean over atoms loses which elements come together; extremes and spreads of their properties say so
    outright, which a few hundred crystals are too few to learn.

    Args:
        encoder: gives the features of the atoms, which stay as they are.
        dropout: probability inside the map.
    """

    mean: Tensor
    inverse_deviation: Tensor

    def __init__(self, encoder: GraphEncoder, dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = encoder
        self.dim = encoder.dim
        self.register_buffer("mean", torch.zeros(N_DESCRIPTORS))
        self.register_buffer("inverse_deviation", torch.ones(N_DESCRIPTORS))
        self.map = MLP(N_DESCRIPTORS, self.dim, self.dim, dropout)

    def calibrate(self, crystals: CrystalBatch) -> None:
        """Take mean and standard deviation of the descriptors from training crystals; calibrate the encoder, too.

        A descriptor that is the same for all of them tells nothing and is left out.
        """
        self.encoder.calibrate(crystals)
        descriptors = crystal_descriptors(crystals)  # (n_crystals, n_descriptors)
        deviation = descriptors.std(dim=0, correction=0)
        self.mean.copy_(descriptors.mean(dim=0))
        self.inverse_deviation.copy_(torch.where(deviation > _LEAST_DEVIATION, 1 / deviation, 0.0))

    def forward(self, crystals: CrystalBatch) -> CrystalFeatures:
        """Encode a batch."""
        features = self.encoder(crystals)
        descriptors = crystal_descriptors(crystals).to(self.mean.dtype)
        standardised = ((descriptors - self.mean) * self.inverse_deviation).clamp(-_FARTHEST, _FARTHEST)
        return CrystalFeatures(features.nodes, features.pooled + self.map(standardised), features.batch)
