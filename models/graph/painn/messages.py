"""What the atoms of PaiNN hear from their neighbours, with a backward pass of its own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from models.graph.batch import CrystalBatch
from models.graph.radial import BesselBasis, edge_length
from models.layers import MLP

_EDGES_PER_PART = 4096
_Pass = TypeVar("_Pass", bound=Callable[..., Any])


@dataclass(frozen=True)
class Edges:
    """What the message blocks need of the edges.

    Attributes:
        source: (n_edges,) int64 centre.
        target: (n_edges,) int64 neighbour.
        direction: (n_edges, 3) unit vector from the centre to the neighbour, zero for an edge of no length.
        basis: (n_edges, n_radial + 1), see `BesselBasis`.
    """

    source: Tensor
    target: Tensor
    direction: Tensor
    basis: Tensor

    @classmethod
    def of(cls, crystals: CrystalBatch, radial_basis: BesselBasis) -> "Edges":
        """Measure the edges of a batch."""
        vector = crystals.edge_vector()
        length = edge_length(vector)
        return cls(crystals.edge_source, crystals.edge_target, vector / length[:, None], radial_basis(length))

    def split(self) -> Iterator["Edges"]:
        """Cut the edges into parts small enough for the processor's cache; an accelerator takes them all at once."""
        size = _EDGES_PER_PART if self.basis.is_cpu else max(len(self.basis), 1)
        columns = (self.source, self.target, self.direction, self.basis)
        return (Edges(*part) for part in zip(*(column.split(size) for column in columns), strict=True))


class MessageBlock(nn.Module):
    r"""Gather scalars and vectors from the neighbours.

    $$ \Delta s_i = \sum_j \phi_s(s_j) \circ W_s(r_{ij}), \qquad
       \Delta \vec v_i = \sum_j \vec v_j \circ \phi_{vv}(s_j) \circ W_{vv}(r_{ij})
                       + \phi_{vs}(s_j) \circ W_{vs}(r_{ij})\, \frac{\vec r_{ij}}{r_{ij}} $$

    Equations 7 and 8 of the paper; the rotationally invariant filters $W$ are linear in the radial basis.
    """

    def __init__(self, dim: int, n_radial: int) -> None:
        super().__init__()
        self.scalar_net = MLP(dim, dim, 3 * dim)
        self.radial_filter = nn.Linear(n_radial + 1, 3 * dim, bias=False)

    def forward(self, scalars: Tensor, vectors: Tensor, edges: Edges) -> tuple[Tensor, Tensor]:
        """Return the changes of scalars (n_atoms, d) and vectors (3, n_atoms, d)."""
        phi = self.scalar_net(scalars).to(edges.basis.dtype)  # the sums keep the precision of the edges
        phi_s, phi_vv, phi_vs = phi.chunk(3, dim=-1)  # each (n_atoms, d)
        changes: tuple[Tensor, Tensor] = _NeighborSum.apply(
            phi_s,
            phi_vs,
            vectors * phi_vv,
            self.radial_filter.weight,
            edges.direction,
            edges.basis,
            edges.source,
            edges.target,
        )
        return changes


def _without_autocast(function: _Pass) -> _Pass:
    """Let a pass of an autograd function keep the precision of what it is given."""

    @wraps(function)
    def pass_(ctx: Any, first: Tensor, *others: Tensor) -> Any:
        with torch.autocast(first.device.type, enabled=False):
            return function(ctx, first, *others)

    return cast("_Pass", pass_)


class _NeighborSum(torch.autograd.Function):
    r"""$\sum_j \phi_{s,j} \circ W_s$ and $\sum_j \vec u_j \circ W_{vv} + \phi_{vs,j} \circ W_{vs}\, \hat r_{ij}$.

    Written out, since automatic differentiation keeps ten numbers per edge and feature and passes over them several
    times; here the filters are computed again and nothing per edge and feature is kept. Each factor is a contiguous
    (n_edges, d), which a processor likes best. It can be differentiated once.
    """

    @staticmethod
    @_without_autocast
    def forward(
        ctx: Any,
        phi_s: Tensor,
        phi_vs: Tensor,
        carried: Tensor,
        filters: Tensor,
        direction: Tensor,
        basis: Tensor,
        source: Tensor,
        target: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Return sums (n_atoms, d) and (3, n_atoms, d).

        Args:
            ctx: keeps the arguments.
            phi_s: (n_atoms, d).
            phi_vs: (n_atoms, d).
            carried: (3, n_atoms, d) u.
            filters: (3 d, n_radial + 1) maps of the radial basis to W_s, W_vv and W_vs.
            direction: (n_edges, 3), and what else `Edges` has.
            basis: (n_edges, n_radial + 1).
            source: (n_edges,).
            target: (n_edges,).
        """
        ctx.save_for_backward(phi_s, phi_vs, carried, filters, direction, basis, source, target)
        scalar_sum, vector_sum = phi_s.new_zeros(phi_s.shape), carried.new_zeros(carried.shape)
        for edges in Edges(source, target, direction, basis).split():
            w_s, w_vv, w_vs = _filtered(edges, filters)
            scalar_sum.index_add_(0, edges.source, phi_s.index_select(0, edges.target).mul_(w_s))
            gate = w_vs.mul_(phi_vs.index_select(0, edges.target))
            axes = zip(vector_sum, carried, edges.direction.split(1, dim=1), strict=True)  # x, y, z
            for total, vector, along in axes:
                message = vector.index_select(0, edges.target).mul_(w_vv).addcmul_(gate, along)
                total.index_add_(0, edges.source, message)
        return scalar_sum, vector_sum

    @staticmethod
    @once_differentiable
    @_without_autocast
    def backward(ctx: Any, of_scalars: Tensor, of_vectors: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of the arguments, from those of the sums."""
        phi_s, phi_vs, carried, filters, direction, basis, source, target = ctx.saved_tensors
        of_phi_s, of_phi_vs = phi_s.new_zeros(phi_s.shape), phi_s.new_zeros(phi_s.shape)
        of_carried, of_filters = carried.new_zeros(carried.shape), filters.new_zeros(filters.shape)
        of_direction, of_basis = [], []
        for edges in Edges(source, target, direction, basis).split():
            w_s, w_vv, w_vs = _filtered(edges, filters)
            given = of_scalars.index_select(0, edges.source)
            of_phi_s.index_add_(0, edges.target, given * w_s)
            of_w_s = given.mul_(phi_s.index_select(0, edges.target))
            given_vectors = [component.index_select(0, edges.source) for component in of_vectors]
            of_w_vv, along = torch.zeros_like(w_vv), torch.zeros_like(w_vv)
            for k, given in enumerate(given_vectors):
                of_carried[k].index_add_(0, edges.target, given * w_vv)
                of_w_vv.addcmul_(given, carried[k].index_select(0, edges.target))
                along.addcmul_(given, edges.direction[:, k, None])
            phi = phi_vs.index_select(0, edges.target)
            of_phi_vs.index_add_(0, edges.target, along * w_vs)
            of_w = (of_w_s, of_w_vv, along.mul_(phi))
            for of_filter, of_part in zip(of_filters.chunk(3), of_w, strict=True):
                of_filter.addmm_(of_part.T, edges.basis)
            if ctx.needs_input_grad[4]:
                gate = phi.mul_(w_vs)
                of_direction.append(torch.stack([(given * gate).sum(dim=1) for given in given_vectors], dim=1))
            if ctx.needs_input_grad[5]:
                of_basis.append(torch.cat(of_w, dim=1) @ filters)
        of_edges = (torch.cat(part) if part else None for part in (of_direction, of_basis))
        return of_phi_s, of_phi_vs, of_carried, of_filters, *of_edges, None, None


def _filtered(edges: Edges, filters: Tensor) -> list[Tensor]:
    """Return W_s, W_vv and W_vs, (n_edges, d) each."""
    return [F.linear(edges.basis, weight) for weight in filters.chunk(3)]
