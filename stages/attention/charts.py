"""The figure of attention: a spectrum above two heat maps of energies × sites."""

from pathlib import Path
from typing import TYPE_CHECKING

from stages.attention.inspection import Inspection
from stages.attention.outputs import site_names
from stages.shared.figures import GREY, ORANGE, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLES = {
    "gather": "Attention of energies to sites, first look (T1)",
    "refine": "Second look, crystal and crystal system known (T3)",
}
_MOST_LABELS = 24


def draw_attention(path: Path, kind: str, unit: str, seen: Inspection) -> None:
    """Draw the spectrum and, below, attention as the mean over heads and layers; rows are sites, columns are energies.

    Args:
        path: the PNG to write.
        kind: `phonon` or `electron`.
        unit: of the grid.
        seen: the crystal.
    """
    n_sites = len(seen.inputs.crystal.atomic_numbers)
    height = min(1.0 + 0.22 * n_sites, 4.5)
    with drawing(path, 7.2, 2.6 + 2 * height) as figure:
        panels = figure.subplots(3, 1, sharex=True, height_ratios=[2.0, height, height])
        _draw_spectrum(panels[0], seen)
        panels[0].set_title(f"{seen.inputs.formula}, {seen.inputs.material_id}: {kind} DOS")
        for axes, (stack, title) in zip(panels[1:], _TITLES.items(), strict=True):
            _draw_map(axes, seen, stack)
            axes.set_title(title)
        panels[-1].set_xlabel(f"{'energy' if unit == 'eV' else 'frequency'} ({unit})")


def _draw_spectrum(axes: "Axes", seen: Inspection) -> None:
    if seen.true is not None:
        axes.fill_between(seen.grid, seen.true, color=GREY, alpha=0.3, linewidth=0, label="true")
    axes.plot(seen.grid, seen.predicted, color=ORANGE, label="predicted")
    axes.set_ylabel("DOS")
    axes.legend(loc="upper right")


def _draw_map(axes: "Axes", seen: Inspection, stack: str) -> None:
    """Draw one heat map; the sites run down from the first."""
    weights = getattr(seen.maps, stack).mean(dim=0).T.numpy()  # (n_sites, n_bins)
    names = site_names(seen)
    half = (seen.grid[1] - seen.grid[0]) / 2
    extent = (seen.grid[0] - half, seen.grid[-1] + half, len(names) - 0.5, -0.5)
    image = axes.imshow(weights, aspect="auto", interpolation="nearest", cmap="viridis", vmin=0.0, extent=extent)
    step = -(-len(names) // _MOST_LABELS)  # as many labels as can be read
    axes.set_yticks(range(0, len(names), step), names[::step])
    axes.grid(visible=False)
    axes.figure.colorbar(image, ax=axes, pad=0.01)
