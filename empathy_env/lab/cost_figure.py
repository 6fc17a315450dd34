"""The figure of the warmth experiment, as SVG or PNG. Needs matplotlib (the extra `report`)."""

# matplotlib's own types leave much unknown.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from empathy_env.lab.cost import Outcome, Row, outcomes, rise, title


def save_costs(path: Path, rows: Sequence[Row]) -> None:
    """Draw the cost of each run over the rise in warmth, and a map of costs over arms and rho.

    Args:
        path: Its ending says in which format.
        rows: All results.
    """
    figure = Figure(figsize=(11.0, 4.2), layout="constrained")
    _scatter(figure.add_subplot(1, 2, 1), rows)
    _map(figure, figure.add_subplot(1, 2, 2), outcomes(rows))
    figure.savefig(path, dpi=120)


def _scatter(axes: Axes, rows: Sequence[Row]) -> None:
    markers = dict(
        zip(dict.fromkeys(row["arm"]["name"] for row in rows), "osDv^<>PX*", strict=False)
    )
    rhos = sorted({row["arm"]["rho"] for row in rows})
    for row in rows:
        arm = row["arm"]
        at, cost = (
            (rise(row, "felt", name) + rise(row, "unfelt", name)) / 2 for name in ("warm", "agreed")
        )
        colour = f"C{rhos.index(arm['rho'])}"
        axes.scatter(at, cost, marker=markers.get(arm["name"], "."), c=colour, alpha=0.7)
    for number, rho in enumerate(rhos):
        axes.plot(
            [-0.25, 0.75], [-0.25 * rho, 0.75 * rho], lw=0.8, c=f"C{number}", label=f"rho {rho:g}"
        )
    for name, marker in markers.items():
        axes.scatter([], [], marker=marker, c="grey", label=name)
    axes.set(xlabel="rise of P(warm wording)", ylabel="cost: rise of P(agrees with what is wrong)")
    axes.legend(fontsize="x-small")


def _map(figure: Figure, axes: Axes, found: Sequence[Outcome]) -> None:
    names = list(dict.fromkeys(map(title, found)))
    rhos = sorted({one.settings["rho"] for one in found})
    costs = np.full((len(names), len(rhos)), math.nan)
    for one in found:
        costs[names.index(title(one)), rhos.index(one.settings["rho"])] = one.cost.mean
    image = axes.imshow(costs, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
    for (y, x), value in np.ndenumerate(costs):
        if not math.isnan(value):
            axes.text(x, y, f"{value:+.2f}", ha="center", va="center", fontsize="small")
    axes.set_xticks(range(len(rhos)), [f"{rho:g}" for rho in rhos])
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="rho: tie of warm wording and agreement in pretraining", title="cost")
    figure.colorbar(image)
