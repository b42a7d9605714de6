"""Input features of the elements, made from `models.graph.element_table`."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.graph.element_table import (
    BLOCKS,
    N_ELEMENTS,
    N_GROUPS,
    N_PERIODS,
    PROPERTIES,
    element_properties,
    fill_from_relatives,
)

DESCRIPTOR_PROPERTIES = (
    "electronegativity",
    "atomic_radius",
    "ionization_energy",
    "electron_affinity",
    "mendeleev_number",
    "s_electrons",
    "p_electrons",
    "d_electrons",
    "f_electrons",
)
_N_PERIOD_CLASSES = 8
_MAX_VALENCE_ELECTRONS = 12
_N_BINS = 10
_BIN_RANGES = {
    "electronegativity": (0.5, 4.0),
    "covalent_radius": (0.25, 2.5),  # Å
    "ionization_energy": (1.3, 3.3),  # natural logarithm of eV
    "electron_affinity": (-3.0, 3.7),  # eV
    "molar_volume": (1.5, 4.3),  # natural logarithm of cm³/mol
}
_LOGARITHMIC = ("ionization_energy", "molar_volume")


def element_descriptors() -> Tensor:
    """Describe each element by its place in the periodic table and by its properties.

    Group, period and block are one-hot; the `DESCRIPTOR_PROPERTIES` have mean 0 and standard deviation 1 over the 118
    elements. A value that is not known comes from a related element, see `fill_from_relatives`.

    Returns:
        (119, 38) float32; row Z is element Z, row 0 is zero and stands for no element.
    """
    position, properties = _filled_properties()
    values = np.stack([properties[name] for name in DESCRIPTOR_PROPERTIES], axis=1)  # (118, 9)
    standardised = (values - values.mean(axis=0)) / values.std(axis=0)
    return _with_row_zero([*_one_hot_position(position, N_PERIODS), standardised])


def element_classes() -> Tensor:
    """Describe each element by the classes that its properties fall into, as CGCNN does.

    One-hot each: group (18), period (8, the last is empty), electronegativity (10), covalent radius (10), valence
    electrons (12), first ionisation energy (10), electron affinity (10), block (4) and atomic volume (10). Bins of
    the continuous ones are equally wide, of the ionisation energy and the volume in the logarithm; a value on an edge
    falls into the upper bin, one outside the range into the first or last. Valence electrons are those outside the
    noble-gas core, without the filled d and f shells of later blocks; more than twelve count as twelve, so that Dy, Ho
    and Er look alike, as do Fm and Md. A value that is not known comes from a related element, see
    `fill_from_relatives`.

    The properties and ranges are those of Xie and Grossman, *Crystal Graph Convolutional Neural Networks for an
    Accurate and Interpretable Prediction of Material Properties*, Phys. Rev. Lett. 120, 145301 (2018),
    doi 10.1103/PhysRevLett.120.145301, supplement; the values are our table's, not those of the authors' file.

    Returns:
        (119, 92) float32, zeros and ones; row Z is element Z, row 0 is zero and stands for no element.
    """
    position, properties = _filled_properties()
    group, period, block = _one_hot_position(position, _N_PERIOD_CLASSES)
    binned = {name: _one_hot_bins(name, properties[name]) for name in _BIN_RANGES}
    valence = np.eye(_MAX_VALENCE_ELECTRONS)[_valence_electrons(position, properties) - 1]
    return _with_row_zero(
        [
            group,
            period,
            binned["electronegativity"],
            binned["covalent_radius"],
            valence,
            binned["ionization_energy"],
            binned["electron_affinity"],
            block,
            binned["molar_volume"],
        ]
    )


def _filled_properties() -> tuple[NDArray[np.int64], dict[str, NDArray[np.float64]]]:
    """Return the positions (118, 3) and each property (118,) without gaps."""
    position, values = element_properties()
    return position, dict(zip(PROPERTIES, fill_from_relatives(position, values).T, strict=True))


def _one_hot_position(position: NDArray[np.int64], n_periods: int) -> list[NDArray[np.float64]]:
    """Return group (118, 18), period (118, n_periods) and block (118, 4) as one-hot rows."""
    return [
        np.eye(N_GROUPS)[position[:, 0] - 1],
        np.eye(n_periods)[position[:, 1] - 1],
        np.eye(len(BLOCKS))[position[:, 2]],
    ]


def _one_hot_bins(name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sort the values (118,) of a property into its bins; (118, 10) one-hot."""
    low, high = _BIN_RANGES[name]
    scaled = np.log(values) if name in _LOGARITHMIC else values
    edges = np.linspace(low, high, _N_BINS + 1).round(6)  # edges are short decimals, on which tabulated values lie
    return np.eye(_N_BINS)[np.digitize(scaled, edges[1:-1])]


def _valence_electrons(position: NDArray[np.int64], properties: dict[str, NDArray[np.float64]]) -> NDArray[np.int64]:
    """Count s and p electrons, d electrons but for the p block's, and f electrons of the f block's; (118,), 1 to 12."""
    block = position[:, 2]
    open_d = (block == BLOCKS.index("d")) | (block == BLOCKS.index("f"))
    count = properties["s_electrons"] + properties["p_electrons"]
    count = count + np.where(open_d, properties["d_electrons"], 0)
    count = count + np.where(block == BLOCKS.index("f"), properties["f_electrons"], 0)
    return count.astype(np.int64).clip(1, _MAX_VALENCE_ELECTRONS)


def _with_row_zero(columns: list[NDArray[np.float64]]) -> Tensor:
    """Put features of the 118 elements side by side below a row of zeros, (119, n) float32."""
    features = np.concatenate(columns, axis=1)
    with_zero = np.zeros((N_ELEMENTS + 1, features.shape[1]), dtype=np.float32)
    with_zero[1:] = features
    return torch.from_numpy(with_zero)
