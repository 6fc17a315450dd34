"""A heat map as an SVG or PNG file. Needs matplotlib (the extra `report`)."""

# matplotlib's own types leave much unknown.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import math
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from empathy_env.measures.explorable import HeatMap


def save_heat_map(path: Path, title: str, heat: HeatMap, high: float) -> None:
    """Draw a heat map, with its values in the fields, and write the file.

    Args:
        path: Ends in .svg or .png.
        title: Stands above it.
        heat: What to draw; fields without a value stay white.
        high: The value of the darkest colour; 0 is the lightest.
    """
    width, height = 2.5 + 1.2 * len(heat.columns), 1.2 + 0.36 * len(heat.rows)
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(heat.values, vmin=0.0, vmax=high, cmap="YlGn", aspect="auto")
    axes.set_xticks(range(len(heat.columns)), [_spaced(name) for name in heat.columns])
    axes.set_yticks(range(len(heat.rows)), [_spaced(name) for name in heat.rows])
    axes.tick_params(axis="x", labelrotation=30)
    axes.set_title(title)
    for row, values in enumerate(heat.values):
        for column, value in enumerate(values):
            if not math.isnan(value):
                colour = "white" if value > 0.6 * high else "black"
                text = f"{value:.2f}" if high <= 1.0 else f"{value:.0f}"
                axes.text(column, row, text, ha="center", va="center", color=colour)
    figure.colorbar(image, ax=axes)
    # Without a date and with names of its own for elements, the same map is the same file.
    with rc_context({"svg.hashsalt": title}):
        metadata = {"Date": None} if path.suffix == ".svg" else None
        figure.savefig(path, dpi=120, metadata=metadata)


def _spaced(name: str) -> str:
    return name.replace("_", " ").replace(",", ",\n")
