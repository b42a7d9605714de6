"""The tables of a density of states: by crystal system, physical quantities, and properties regressed from spectra."""

from collections.abc import Mapping, Sequence
from typing import Any

from stages.report.dos_sentences import MEAN_SPECTRUM, NETWORKS
from stages.report.formatting import count, number, percent, plus_minus, title
from stages.report.page import Table
from stages.report.sentences import FOREST, MEAN

Metrics = dict[str, Any]

DOS_ROWS = {
    "predicted": "model, told the crystal system",
    "predicted_global": "model, not told",
    **NETWORKS,
    "composition_forest": FOREST.removeprefix("the "),
    "mean_baseline": MEAN_SPECTRUM.removeprefix("the "),
}
DOWNSTREAM_ROWS = {
    "true": "true spectra",
    "predicted": DOS_ROWS["predicted"],
    "predicted_global": DOS_ROWS["predicted_global"],
    **NETWORKS,
    "mean_baseline": MEAN.removeprefix("the "),
}
AT_TEMPERATURE = ("heat_capacity", "entropy", "free_energy")


def system_table(by_crystal_system: Mapping[str, Metrics], unit: str) -> Table:
    """Put the model's scores on the test crystals of each crystal system below each other.

    Args:
        by_crystal_system: of the metrics of the test split.
        unit: of the Wasserstein distance, eV or cm⁻¹.
    """
    rows = [
        [
            system,
            f"{scores['n']:,}",
            *(number(scores[name]) for name in ("r2", "mae", "wasserstein")),
            percent(scores["fail_rate"]),
        ]
        for system, scores in by_crystal_system.items()
    ]
    header = ["crystal system", "crystals", "R²", "MAE", f"Wasserstein ({unit})", "fail rate"]
    return Table("By crystal system, on the test split: the model, told the crystal system", header, rows)


def physics_table(physics: Mapping[str, Metrics], temperature: float) -> Table:
    """Put the errors of the quantities that follow from each kind of predicted spectrum below each other.

    Args:
        physics: of the metrics of the test split, by quantity.
        temperature: K, at which heat capacity, entropy and free energy are given.
    """
    rows: list[Sequence[str]] = [
        ["true: mean ± standard deviation"]
        + [plus_minus(one["true_mean"], one["true_std"]) for one in physics.values()],
        ["crystals whose true spectrum gives it"] + [f"{one['n']:,}" for one in physics.values()],
    ]
    for name, label in DOS_ROWS.items():
        if any(f"{name}_mae" in one for one in physics.values()):
            rows.append([label, *(number(one.get(f"{name}_mae")) for one in physics.values())])
    header = ["MAE of"]
    for name, one in physics.items():
        header.append(_with_unit(_quantity(name, temperature), one["unit"]))
    caption = (
        "Quantities that follow from a spectrum: mean absolute error (MAE) of those from predicted spectra against "
        "those from the true spectra of the same test crystals"
    )
    return Table(caption, header, rows)


def downstream_table(downstream: Mapping[str, Metrics]) -> Table:
    """Put the errors of properties regressed from true and from predicted spectra below each other.

    Args:
        downstream: by property.
    """
    header, sizes = ["from"], []
    for name, one in downstream.items():
        header += [_with_unit(f"{title(name)}, MAE", one["unit"]), f"{title(name)}, R²"]
        sizes.append(f"{title(name)} of {count(one['n_train'], 'train crystal')} and {one['n']:,} to test")
    rows = [
        [label, *(number(one[f"{name}_{score}"]) for one in downstream.values() for score in ("mae", "r2"))]
        for name, label in DOWNSTREAM_ROWS.items()
        if all(f"{name}_mae" in one for one in downstream.values())
    ]
    caption = (
        "Other properties read off the spectra by small networks that were fitted to true spectra; a perfect "
        f"prediction would have the errors of the true spectra ({'; '.join(sizes)})"
    )
    return Table(caption, header, rows)


def _quantity(name: str, temperature: float) -> str:
    """Return a quantity in words."""
    words = {"dos_at_fermi_energy": "DOS at the Fermi energy", "maximum_frequency": "highest frequency"}
    label = words.get(name, title(name))
    return f"{label} at {temperature:g} K" if name in AT_TEMPERATURE else label


def _with_unit(words: str, unit: str | None) -> str:
    return f"{words} ({unit})" if unit else words
