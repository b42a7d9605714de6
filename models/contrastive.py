"""Contrastive language-crystal pretraining: two towers, one space."""

import math
from itertools import combinations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.graph.batch import CrystalBatch, GraphEncoder, site_features
from models.graph.elements import N_ELEMENTS
from models.layers import segment_mean
from models.text.huggingface import Tokens
from models.text.tokens import TextEncoder


class InfoNCE(nn.Module):
    r"""Symmetric contrastive cross-entropy with a learnable temperature.

    For L2-normalised rows $a_i$, $b_i$ of a batch of $B$ pairs and logits $s_{ij} = e^{t}\, a_i \cdot b_j$

    $$ \mathcal{L} = \tfrac12 \left[ \mathrm{CE}(s, \mathrm{diag}) + \mathrm{CE}(s^\top, \mathrm{diag}) \right] $$

    Radford et al., *Learning Transferable Visual Models From Natural Language Supervision*, ICML 2021,
    arXiv:2103.00020, figure 3; $t$ is clamped to $[0, \ln 100]$ as in section 2.5 there.

    Args:
        initial_temperature: $e^{-t}$ at the start, dimensionless, 0.01 to 1; CLIP uses 0.07.

    Raises:
        ValueError: the temperature is outside the range of the clamp, where it could not be learned.
    """

    MAX_LOGIT_SCALE = math.log(100.0)

    def __init__(self, initial_temperature: float = 0.07) -> None:
        super().__init__()
        if not 0.01 <= initial_temperature <= 1.0:
            raise ValueError(f"initial_temperature is {initial_temperature}, expected 0.01 to 1")
        self.logit_scale = nn.Parameter(torch.tensor(-math.log(initial_temperature)))

    def forward(self, a: Tensor, b: Tensor, same: Tensor | None = None) -> Tensor:
        """Return the mean loss of the batch, a scalar.

        Args:
            a: (batch, dim) features of one modality, any scale.
            b: (batch, dim) features of the other; row i belongs to row i of `a`.
            same: (batch, batch) True where row i and column j are not a pair but mean the same thing (a duplicate, a
                polymorph with the same text). Such columns leave the denominator. The diagonal is ignored.
        """
        logits = self.similarity(a, b)  # (batch, batch)
        if same is not None:
            off_diagonal = ~torch.eye(len(a), dtype=torch.bool, device=a.device)
            logits = logits.masked_fill(same & off_diagonal, -torch.inf)
        target = torch.arange(len(a), device=a.device)
        return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2

    def similarity(self, a: Tensor, b: Tensor) -> Tensor:
        """Cosine similarities times the learned scale, (len(a), len(b))."""
        excess = (self.logit_scale - self.logit_scale.clamp(0.0, self.MAX_LOGIT_SCALE)).detach()
        # the gradient passes the clamp, else a scale that once left the range could not come back
        scale = (self.logit_scale - excess).exp()
        return scale * F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).T


class ProjectionHead(nn.Module):
    """Map a tower's features into the shared space: LayerNorm, Linear, GELU, Linear, plus a linear shortcut.

    The two-layer head with shortcut follows CLaC (see `ContrastiveModel`); LayerNorm stands where CLaC has BatchNorm,
    so that an embedding does not depend on what else is in the batch.

    Args:
        in_dim: features of the tower.
        out_dim: e, dimension of the shared space.
    """

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(in_dim)
        self.shortcut = nn.Linear(in_dim, out_dim)
        self.residual = nn.Sequential(nn.Linear(in_dim, out_dim), nn.GELU(), nn.Linear(out_dim, out_dim))

    def forward(self, features: Tensor) -> Tensor:
        """Return (batch, out_dim) for features (batch, in_dim)."""
        normed = self.norm(features)
        return self.shortcut(normed) + self.residual(normed)


class ContrastiveModel(nn.Module):
    r"""A crystal tower and a text tower that meet in one space.

    For a crystal and $V$ views $T_v$ of its text

    $$ \mathcal{L} = \frac1V \sum_v \mathrm{InfoNCE}(C, T_v)
                   + \lambda\, \binom V2^{-1} \sum_{v<w} \mathrm{InfoNCE}(T_v, T_w) $$

    CLaC: Park et al., *Contrastive Learning of English Language and Crystal Graphs for Multimodal Representation of
    Materials Knowledge*, arXiv:2502.16451 (Nature Communications 2026,
    doi:10.1038/s41467-026-76378-7), its cross-modal and text intramodal terms (mean where its code sums). Each
    kind of term has a temperature of its own, as there.

    A crystal is $\mathrm{head}(g + \overline{u_Z})$ with the crystal vector $g$ of the tower and the mean, over its
    atoms, of a free vector $u_Z$ per element. Texts name elements, which these tell apart at once; the tower's own
    features may then keep elements near their kin, which is what a property model inherits.

    Args:
        graph_encoder: crystals to features.
        text_encoder: texts to features.
        embedding_dim: e, dimension of the shared space.
        initial_temperature: of both kinds of term, see `InfoNCE`.
        text_weight: $\lambda$; 0 leaves the text-text term out.
    """

    def __init__(
        self,
        graph_encoder: GraphEncoder,
        text_encoder: TextEncoder,
        embedding_dim: int,
        initial_temperature: float,
        text_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.graph_encoder = graph_encoder
        self.text_encoder = text_encoder
        self.element_codes = nn.Embedding(N_ELEMENTS + 1, graph_encoder.dim)
        self.graph_head = ProjectionHead(graph_encoder.dim, embedding_dim)
        self.text_head = ProjectionHead(text_encoder.dim, embedding_dim)
        self.text_weight = text_weight
        self.cross_modal = InfoNCE(initial_temperature)
        self.text_text = InfoNCE(initial_temperature) if text_weight > 0 else None

    def forward(
        self,
        crystals: CrystalBatch,
        texts: Tokens,
        same: Tensor | None = None,
    ) -> Tensor:
        """Return the mean loss of the batch, a scalar.

        Args:
            crystals: B crystals.
            texts: V·B texts, one view of all crystals after the other; text i of each view tells of crystal i. They are
                read as one batch, so that a word they share is read once.
            same: (B, B) as in `InfoNCE`.

        Raises:
            ValueError: no view, a single one when there is a text-text term, or one that does not have B texts.
        """
        n_views, n_left = divmod(len(texts.mask), crystals.n_crystals)
        if n_left or n_views < (1 if self.text_text is None else 2):
            raise ValueError(f"{len(texts.mask)} texts of {crystals.n_crystals} crystals: wrong number for this loss")
        crystal = self.embed_crystals(crystals)
        views = self.embed_texts(texts).split(crystals.n_crystals)  # each (B, e)
        loss = torch.stack([self.cross_modal(crystal, view, same) for view in views]).mean()
        if self.text_text is None:
            return loss
        pairs = [self.text_text(a, b, same) for a, b in combinations(views, 2)]
        return loss + self.text_weight * torch.stack(pairs).mean()

    def embed_crystals(self, crystals: CrystalBatch) -> Tensor:
        """Return unit vectors (B, e)."""
        codes = site_features(self.element_codes.weight, crystals)  # (n_atoms, d)
        composition = segment_mean(codes, crystals.batch, crystals.n_crystals)
        return F.normalize(self.graph_head(self.graph_encoder(crystals).pooled + composition), dim=-1)

    def embed_texts(self, tokens: Tokens) -> Tensor:
        """Return unit vectors (B, e)."""
        return F.normalize(self.text_head(self.text_encoder(tokens).pooled), dim=-1)
