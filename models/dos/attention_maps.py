"""Which atoms a density of states comes from, as the attention of the DOS transformer has it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.dos.transformer import DosTransformer, EncodedCrystals
from models.graph.batch import CrystalBatch
from models.layers import segment_sum


@dataclass(frozen=True)
class AttentionMaps:
    """Attention of energies to atoms for one crystal, the mean over heads; every row sums to 1.

    Attributes:
        gather: (n_layers, n_bins, n_atoms) of T1, where energy tokens first look at the atoms.
        refine: (n_layers, n_bins, n_atoms) of T3, where they look again, knowing crystal and crystal system.
        elsewhere: (2, n_layers, n_bins) what T1 and T3 leave to the extra node without features that the published
            electron model has; the rows of atoms are divided by what is left. Zero for every other model.
    """

    gather: Tensor
    refine: Tensor
    elsewhere: Tensor


@torch.no_grad()
def attention_maps(
    model: DosTransformer, crystal: CrystalBatch, crystal_system: Tensor, global_inputs: Tensor | None = None
) -> AttentionMaps:
    """Return what the energies of one crystal attend to in the prompted branch.

    Args:
        model: in evaluation mode.
        crystal: a batch of one crystal, in which no padding can be attended to.
        crystal_system: (1,) int64 index into `CRYSTAL_SYSTEMS`.
        global_inputs: (1, n_global_inputs) for a model that has some.

    Raises:
        ValueError: there is not exactly one crystal.
    """
    if crystal.n_crystals != 1:
        raise ValueError(f"the batch has {crystal.n_crystals} crystals, expected 1")
    encoded = model.encode(crystal, global_inputs)
    tokens = model.energies()[None]  # (1, n_bins, d)
    gather = model.gather.attention_weights(tokens, encoded.atoms, encoded.mask)
    states = model.mix(model.fused(model.gathered(encoded), encoded, crystal_system))
    refine = model.refine.attention_weights(states, encoded.atoms, encoded.mask)
    # blocks of (1, n_heads, n_bins, n_keys) -> (2, n_layers, n_bins, n_keys)
    weights = torch.stack([torch.cat(blocks).mean(dim=1) for blocks in (gather, refine)])
    to_atoms = weights[..., : len(crystal.atomic_numbers)]
    share = to_atoms.sum(dim=-1)
    rows = to_atoms / share[..., None]
    return AttentionMaps(rows[0], rows[1], (1 - share).clamp_min(0))


@torch.no_grad()
def occlusion(
    model: DosTransformer, crystal: CrystalBatch, crystal_system: Tensor, global_inputs: Tensor | None = None
) -> Tensor:
    """Return how the spectrum changes when the energies cannot see a site, (n_atoms, n_bins): as it is minus without.

    The site stays where it is for the graph encoder and for the crystal vector, so that the change is what its
    attention is worth. Arguments and errors as in `attention_maps`.

    Raises:
        ValueError: there is one atom only, and so nothing else to look at.
    """
    n_atoms = len(crystal.atomic_numbers)
    if crystal.n_crystals != 1 or n_atoms == 1:
        raise ValueError(f"the batch has {crystal.n_crystals} crystals and {n_atoms} atoms, expected 1 and more than 1")
    encoded = model.encode(crystal, global_inputs)
    n_keys = encoded.atoms.shape[1]  # with an extra node one more than there are atoms
    whole = _spectrum(model, encoded, torch.ones(1, n_keys, dtype=torch.bool), crystal_system)
    seen = ~torch.eye(n_atoms, n_keys, dtype=torch.bool)
    without = [_spectrum(model, encoded, mask[None], crystal_system) for mask in seen]
    return whole - torch.cat(without)


def _spectrum(model: DosTransformer, encoded: EncodedCrystals, seen: Tensor, crystal_system: Tensor) -> Tensor:
    """Spectrum (1, n_bins) of a crystal of which the energies see some atoms, `seen` (1, n_keys)."""
    partly = EncodedCrystals(encoded.atoms, seen, encoded.crystal)
    return model.spectra(model.fused(model.gathered(partly), partly, crystal_system), partly)


def sum_by_element(weights: Tensor, atomic_numbers: Tensor) -> tuple[Tensor, Tensor]:
    """Add up what goes to the atoms of each element.

    Args:
        weights: (..., n_atoms).
        atomic_numbers: (n_atoms,).

    Returns:
        The atomic numbers (n_elements,) from the smallest, and the shares (..., n_elements).
    """
    elements, element_of_atom = atomic_numbers.unique(return_inverse=True)
    sums = segment_sum(weights.movedim(-1, 0), element_of_atom, len(elements))
    return elements, sums.movedim(0, -1)
