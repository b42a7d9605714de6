"""Crystals as short vectors without anything learned: what a surrogate with a few dozen labels can work with."""

import torch
from torch import Tensor

from models.graph.batch import CrystalBatch
from models.graph.element_table import N_ELEMENTS, PROPERTIES, element_properties, fill_from_relatives
from models.graph.radial import edge_length
from models.layers import segment_mean, segment_sum

N_DESCRIPTORS = 72
_LEAST_VARIANCE = 1e-16  # the root has no derivative at zero
_LEAST_LENGTH = 1e-3  # Å; an edge shorter than this leads from an atom to itself

N_DESCRIPTORS = 72


def crystal_descriptors(crystals: CrystalBatch) -> Tensor:
    r"""Describe composition and surroundings of each crystal, (n_crystals, 72) float64.

    Of group, period and the eleven tabulated `PROPERTIES` of the elements: mean, standard deviation, minimum and
    maximum over the composition (Ward et al., *npj Comput. Mater.* 2, 16028 (2016), doi:10.1038/npjcompumats.2016.28),
    and the mean difference between an atom and its neighbours (Ward et al., *Phys. Rev. B* 96, 024104 (2017),
    doi:10.1103/PhysRevB.96.024104). Mean and standard deviation over the atoms of the coordination number, of the
    inverse bond length and of the bond length in units of the covalent radii, and the logarithm of the volume per
    atom. A neighbour counts as much as `effective_neighbors` says. Nothing changes with rotation, the order of the
    atoms, the choice of the cell or a supercell; an atom without neighbours has zeros.

    Args:
        crystals: whose graphs reach at least the nearest neighbours.
    """
    table = _element_table().to(crystals.frac_coords.device)  # (119, 13)
    shares = crystals.element_shares().double()
    composition = segment_sum(shares, crystals.batch, crystals.n_crystals)
    composition = composition / composition.sum(dim=1, keepdim=True)  # (n_crystals, 119), without vacancies
    volume = torch.linalg.det(crystals.lattice.double()).abs()
    n_atoms = torch.bincount(crystals.batch, minlength=crystals.n_crystals)
    surroundings = _surroundings(crystals, shares @ table)
    parts = [composition_statistics(composition), *surroundings, (volume / n_atoms).log()[:, None]]
    return torch.cat(parts, dim=1)


def effective_neighbors(distance: Tensor, source: Tensor, n_atoms: int) -> Tensor:
    r"""Weigh each neighbour by how near it is compared with the others, (n_edges,), 1 at the weighted mean distance.

    $$ w_e = \exp\left[ 1 - (d_e / \bar d_i)^6 \right], \qquad
       \bar d_i = \frac{\sum_e d_e \exp[1 - (d_e / d_i^{\min})^6]}{\sum_e \exp[1 - (d_e / d_i^{\min})^6]} $$

    The sum over the neighbours of an atom is its effective coordination number: Hoppe, *Z. Kristallogr.* 150, 23
    (1979), doi:10.1524/zkri.1979.150.14.23.

    Args:
        distance: (n_edges,) Å.
        source: (n_edges,) int64 the atom whose neighbour it is.
        n_atoms: number of atoms.
    """
    nearest = distance.new_full((n_atoms,), torch.inf).scatter_reduce(0, source, distance, "amin")
    weight = torch.exp(1 - (distance / nearest[source]) ** 6)
    mean = segment_sum(weight * distance, source, n_atoms) / segment_sum(weight, source, n_atoms)
    return torch.exp(1 - (distance / mean[source]) ** 6)


def _element_table() -> Tensor:
    """Group, period and `PROPERTIES` with mean 0 and standard deviation 1 over the elements, (119, 13); row 0 is 0."""
    position, values = element_properties()
    columns = torch.from_numpy(position[:, :2]).double(), torch.from_numpy(fill_from_relatives(position, values))
    features = torch.cat(columns, dim=1)  # (118, 13)
    standardised = (features - features.mean(dim=0)) / features.std(dim=0)
    return torch.cat([torch.zeros_like(standardised[:1]), standardised])


def composition_statistics(composition: Tensor) -> Tensor:
    """Describe compositions by statistics of group, period and `PROPERTIES` of their elements, (n, 52) float64.

    Mean, standard deviation, maximum and minimum, thirteen columns each; see `crystal_descriptors`.

    Args:
        composition: (n, 119) float64 atomic fraction of each element, column Z is element Z; rows add up to 1.
    """
    table = _element_table().to(composition.device)  # (119, 13)
    mean = composition @ table
    variance = composition @ table**2 - mean**2
    absent = (composition == 0)[:, :, None]  # (n, 119, 1)
    highest = table.masked_fill(absent, -torch.inf).amax(dim=1)
    lowest = table.masked_fill(absent, torch.inf).amin(dim=1)
    return torch.cat([mean, variance.clamp_min(_LEAST_VARIANCE).sqrt(), highest, lowest], dim=1)


def _surroundings(crystals: CrystalBatch, sites: Tensor) -> list[Tensor]:
    """Mean and spread over the atoms of bonds, (n_crystals, 3) each, and mean differences to neighbours, (·, 13)."""
    distance, n_atoms = edge_length(crystals.edge_vector().double()), len(sites)
    real = distance > _LEAST_LENGTH
    distance, source, target = distance[real], crystals.edge_source[real], crystals.edge_target[real]
    weight = effective_neighbors(distance, source, n_atoms)
    coordination = segment_sum(weight, source, n_atoms)

    def of_neighbors(values: Tensor) -> Tensor:  # (n_edges, k) to (n_atoms, k)
        return segment_sum(weight[:, None] * values, source, n_atoms) / coordination.clamp_min(1e-12)[:, None]

    radius = crystals.element_shares().double() @ _covalent_radii().to(sites.device)  # (n_atoms,) Å
    bonds = of_neighbors(torch.stack([1 / distance, distance / (radius[source] + radius[target])], dim=1))
    atoms = torch.cat([coordination[:, None], bonds], dim=1)  # (n_atoms, 3)
    mean = segment_mean(atoms, crystals.batch, crystals.n_crystals)
    deviation = (atoms - mean[crystals.batch]) ** 2
    spread = segment_mean(deviation, crystals.batch, crystals.n_crystals).clamp_min(_LEAST_VARIANCE).sqrt()
    difference = of_neighbors((sites[source] - sites[target]).abs())
    return [mean, spread, segment_mean(difference, crystals.batch, crystals.n_crystals)]


def _covalent_radii() -> Tensor:
    """Covalent radius of each element, (119,) Å; row 0 is 0."""
    radii = torch.zeros(N_ELEMENTS + 1, dtype=torch.float64)
    filled = fill_from_relatives(*element_properties())
    radii[1:] = torch.from_numpy(filled[:, PROPERTIES.index("covalent_radius")])
    return radii
