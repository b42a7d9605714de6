"""The first features of an atom: a learned function of what is known of its element."""

from torch import Tensor, nn

from models.graph.batch import CrystalBatch, site_features
from models.graph.elements import element_classes, element_descriptors

_FREE_DEVIATION = 0.3  # of the free vectors at the start, beside 1 of what the properties give


class ElementEmbedding(nn.Module):
    """Embed the elements; a site that several of them share gets the average weighted by occupancy.

    Args:
        dim: d, features per atom.
        element_features: "learned": a free vector for each element plus a linear map of its `element_descriptors`, so
            that an element absent from the training data is not left at its random start. The map starts with unit
            variance over the elements and the free vectors small beside it: at first an element is what its kin are.
            "one_hot": a linear map of its `element_classes`, as in CGCNN.

    Raises:
        ValueError: unknown element_features.
    """

    features: Tensor

    def __init__(self, dim: int, element_features: str) -> None:
        super().__init__()
        if element_features not in ("learned", "one_hot"):
            raise ValueError(f"element_features is {element_features!r}, expected 'learned' or 'one_hot'")
        learned = element_features == "learned"
        features = element_descriptors() if learned else element_classes()
        self.register_buffer("features", features, persistent=False)
        self.map = nn.Linear(features.shape[1], dim)
        self.table = nn.Embedding(len(features), dim) if learned else None
        if self.table is not None:
            nn.init.normal_(self.table.weight, std=_FREE_DEVIATION)
            nn.init.normal_(self.map.weight, std=float(features[1:].square().sum(dim=1).mean().rsqrt()))

    def forward(self, crystals: CrystalBatch) -> Tensor:
        """Return the features of every site, (n_atoms, d)."""
        table = self.map(self.features)  # (119, d)
        if self.table is not None:
            table = self.table.weight + table
        return site_features(table, crystals)
