"""The columns of every table that one stage writes and another reads, with their units.

A field's unit is stored in its metadata under the key `unit`, so that the parquet file carries it.
"""

from collections.abc import Iterable

import pyarrow as pa

SPLITS = ("train", "val", "test")


_BY_ELEMENT = pa.map_(pa.string(), pa.list_(pa.float32()))


def _field(name: str, type_: pa.DataType, unit: str | None = None) -> pa.Field:
    return pa.field(name, type_, metadata=None if unit is None else {b"unit": unit.encode()})


SCALAR_PROPERTIES = {
    "energy_per_atom": "eV/atom",
    "formation_energy_per_atom": "eV/atom",
    "energy_above_hull": "eV/atom",
    "band_gap": "eV",
    "bulk_modulus": "GPa",
    "shear_modulus": "GPa",
    "total_magnetization": "μB/f.u.",
}
"""Properties a source may deliver, with the unit each is stored in; null where unknown."""

CRYSTALS_SCHEMA = pa.schema(
    [
        _field("material_id", pa.string()),
        _field("source", pa.string()),
        _field("source_id", pa.string()),
        _field("formula", pa.string()),
        _field("cif", pa.string()),
        _field("n_atoms", pa.int32()),
        _field("space_group_number", pa.int32()),
        _field("space_group_symbol", pa.string()),
        _field("crystal_system", pa.string()),
        _field("density", pa.float64(), "g/cm³"),
        _field("volume_per_atom", pa.float64(), "Å³/atom"),
        *(_field(name, pa.float64(), unit) for name, unit in SCALAR_PROPERTIES.items()),
        _field("description", pa.string()),
        _field("narrative", pa.string()),
        _field("explanation", pa.string()),
        _field("questions", pa.string()),
        _field("edos_energy", pa.list_(pa.float32()), "eV"),
        _field("edos_density", pa.list_(pa.float32()), "states/eV/cell"),
        _field("edos_projected", _BY_ELEMENT, "states/eV/cell"),
        _field("phdos_frequency", pa.list_(pa.float32()), "cm⁻¹"),
        _field("phdos_density", pa.list_(pa.float32()), "states/cm⁻¹/cell"),
        _field("phdos_projected", _BY_ELEMENT, "states/cm⁻¹/cell"),
        _field("fingerprint", pa.string()),
        _field("split", pa.string()),
    ]
)
"""One row per crystal. `edos_energy` is relative to the Fermi level; imaginary phonon frequencies are negative numbers;
`edos_projected` and `phdos_projected` have the part of each element, by its symbol, at the same abscissae;
`description` is text the source delivered about the structure, `narrative` and `explanation` the text of a narrative
corpus, `questions` its multiple-choice questions as JSON text, `{name: [true statement, others …]}`; the rest is
computed from the structure."""


def crystals_schema(own_properties: Iterable[str]) -> pa.Schema:
    """Return `CRYSTALS_SCHEMA` with a column of numbers for each property that only somebody's own records have.

    The columns are sorted by name; the unit of these properties is known to their owner alone.
    """
    schema = CRYSTALS_SCHEMA
    for name in sorted(own_properties):
        schema = schema.append(_field(name, pa.float64()))
    return schema


def property_columns(names: Iterable[str]) -> list[str]:
    """Return which columns of a table of crystals are scalar properties, given the names of all of them."""
    return [name for name in names if name in SCALAR_PROPERTIES or name not in CRYSTALS_SCHEMA.names]


NARRATIVES_SCHEMA = pa.schema(
    [
        _field("material_id", pa.string()),
        _field("view", pa.string()),
        _field("text", pa.string()),
    ]
)

GRAPHS_SCHEMA = pa.schema(
    [
        _field("material_id", pa.string()),
        _field("atomic_numbers", pa.list_(pa.uint8())),
        _field("frac_coords", pa.list_(pa.float64())),
        _field("lattice", pa.list_(pa.float64()), "Å"),
        _field("edge_source", pa.list_(pa.int32())),
        _field("edge_target", pa.list_(pa.int32())),
        _field("edge_image", pa.list_(pa.int8())),
        _field("occupancy_site", pa.list_(pa.int32())),
        _field("occupancy_element", pa.list_(pa.uint8())),
        _field("occupancy_fraction", pa.list_(pa.float64())),
    ]
)
"""One row per crystal; `frac_coords` (n_atoms, 3), `lattice` (3, 3) with vectors as rows and `edge_image` (n_edges,
3) are flattened row by row. The edge vector is x_target + image · lattice − x_source. The three `occupancy` columns
are empty for an ordered crystal; where a site is mixed or partly vacant they have one entry for every element of every
site of the crystal: the site's index, the atomic number and the share of the site it takes."""

EMBEDDINGS_SCHEMA = pa.schema(
    [
        _field("material_id", pa.string()),
        _field("embedding", pa.list_(pa.float32())),
    ]
)
"""One row per crystal that another model could describe, all embeddings of the same length."""

FUSION_PREDICTIONS_SCHEMA = pa.schema(
    [
        _field("material_id", pa.string()),
        _field("split", pa.string()),
        _field("true", pa.float64()),
        _field("fused", pa.float64()),
        _field("structure", pa.float64()),
        _field("text", pa.float64()),
    ]
)

DOS_PREDICTIONS_SCHEMA = pa.schema(
    [
        _field("material_id", pa.string()),
        _field("split", pa.string()),
        _field("true", pa.list_(pa.float32())),
        _field("known", pa.list_(pa.bool_())),
        _field("scale", pa.float64(), "states/atom/bin"),
        _field("delivered_states", pa.float64(), "states/atom"),
        _field("predicted", pa.list_(pa.float32())),
        _field("predicted_global", pa.list_(pa.float32())),
    ]
)
"""One row per crystal; lists have an entry per bin of the grid in params.yaml. A spectrum times `scale` is states per
atom in each bin; bins that are not `known` are zero in `true` and free in the predictions; `delivered_states` is the
integral of what the source delivered, over all its range."""

DOS_BASELINES_SCHEMA = pa.schema(
    [
        _field("material_id", pa.string()),
        _field("mlp", pa.list_(pa.float32())),
        _field("mlp_energies", pa.list_(pa.float32())),
        _field("graph_network", pa.list_(pa.float32())),
        _field("graph_network_energies", pa.list_(pa.float32())),
    ]
)
"""One row per crystal of `DOS_PREDICTIONS_SCHEMA`, spectra on the same grid and normalised alike."""
