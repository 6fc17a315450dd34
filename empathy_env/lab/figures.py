"""The lab's figures, as SVG or PNG. Needs matplotlib (the extra `report`)."""

# matplotlib's own types leave much unknown.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from empathy_env.lab.grammar import REGISTERS, TARGET_NEED
from empathy_env.lab.summary import TRIES, Condition, Row, conditions, together

_DOTS = (("prior", "x", "tab:grey"), ("after", "o", "tab:blue"), ("done", "+", "tab:orange"))
"""What is drawn of each run."""
_LEAST = 1e-10
"""Probabilities below this are drawn at this height."""


def save_doses(path: Path, found: Sequence[Condition], name: str) -> None:
    """Draw how likely the target is after training over its dose, one dot for each run.

    Args:
        path: Its ending says in which format.
        found: Of one comparison; conditions that differ in nothing but the dose share a panel.
        name: Of the comparison.
    """
    panels: dict[str, list[Condition]] = {}
    for one in found:
        others = [f"{field} {value}" for field, value in one.settings.items() if field != "dose"]
        panels.setdefault(", ".join(others), []).append(one)
    across = min(len(panels), 4)
    down = -(-len(panels) // across)
    size = (1.0 + 3.75 * across, 3.2 * down)
    figure = Figure(figsize=size, layout="constrained")
    for number, (title, here) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(down, across, number)
        for which, marker, colour in _DOTS:
            points = [
                (max(one.settings.get("dose", 0.0), 3e-4), max(value, _LEAST))
                for one in here
                for value in getattr(one, which)
            ]
            axes.scatter(
                *zip(*points, strict=True), marker=marker, c=colour, label=which, alpha=0.7
            )
        axes.axhline(0.5, lw=0.5, c="black")
        axes.set(xscale="log", yscale="log", xlabel="dose (leftmost: 0)")
        axes.set_title(title, fontsize="medium")
        axes.set_ylabel("P(target), where it is needed")
    figure.suptitle(name)
    names = figure.axes[0].get_legend_handles_labels()
    figure.legend(*names, fontsize="small", loc="outside right center")
    figure.savefig(path, dpi=120)


def save_reach(path: Path, found: Sequence[Condition]) -> None:
    """Draw pass@k before and after training for people who need the target, a panel a condition.

    Args:
        path: Its ending says in which format.
        found: The conditions, six of them in a row.
    """
    rows = -(-len(found) // 6)
    figure = Figure(figsize=(2.6 * min(6, len(found)), 2.6 * rows), layout="constrained")
    for number, one in enumerate(found, start=1):
        axes = figure.add_subplot(rows, min(6, len(found)), number)
        curves = ((one.reach.base, "tab:grey", "base"), (one.reach.trained, "tab:blue", "trained"))
        for curve, colour, label in curves:
            means, lows, highs = ([end[n] for end in curve] for n in range(3))
            axes.plot(one.reach.tries, means, marker=".", c=colour, label=label)
            axes.fill_between(one.reach.tries, lows, highs, color=colour, alpha=0.2)
        title = "\n".join(f"{name} {value}" for name, value in one.settings.items())
        axes.set(xscale="log", xlabel="k", ylabel="pass@k", ylim=(-0.02, 1.02))
        axes.set_title(title, fontsize="small")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right center")
    figure.savefig(path, dpi=120)


def save_curves(path: Path, rows: Sequence[Row]) -> None:
    """Draw the share of hits over steps of GRPO, a line for each run, coloured by its dose."""
    figure = Figure(figsize=(5.0, 3.2), layout="constrained")
    axes = figure.add_subplot()
    colours = {0.0: "black", 0.001: "tab:purple", 0.01: "tab:red", 0.03: "tab:orange"}
    for row in rows:
        dose, steps = row["arm"]["dose"], row["curve"]
        before = [{"hits": 0, "tries": 0}, *steps]
        rates = [
            (b["hits"] - a["hits"]) / max(1, b["tries"] - a["tries"])
            for a, b in zip(before, steps, strict=False)
        ]
        colour = colours.get(dose, "tab:green")
        axes.plot([one["number"] for one in steps], rates, c=colour, alpha=0.7, label=f"{dose:g}")
    handles, labels = axes.get_legend_handles_labels()
    once: dict[str, Any] = dict(zip(labels, handles, strict=True))
    axes.legend(once.values(), once.keys(), title="dose", fontsize="small")
    axes.set(xlabel="step", ylabel="share of turns with the target", ylim=(-0.02, 1.02))
    figure.savefig(path, dpi=120)


def save_steps(path: Path, found: Sequence[tuple[str, Sequence[Row]]]) -> None:
    """Draw pass@k over steps of training, and what is done for the target's need; both exact.

    Both are of the first turn, in which the need is known: success is the register that meets it.

    Args:
        path: Its ending says in which format.
        found: Titles and runs of conditions, each with exact figures in its curve.
    """
    size = (2.6 * len(found), 5.0)
    figure = Figure(figsize=size, layout="constrained")
    for number, (title, rows) in enumerate(found, start=1):
        above = figure.add_subplot(2, len(found), number)
        below = figure.add_subplot(2, len(found), len(found) + number)
        steps = [0, *(one["number"] for one in rows[0]["curve"])]
        each = [[row["began"], *row["curve"]] for row in rows]
        for place, tries in enumerate(TRIES):
            values = np.mean([[one["reach"][place] for one in run] for run in each], 0)
            above.plot(steps, values, marker=".", label=f"pass@{tries}")
        for run in each:
            for place, register in enumerate(REGISTERS):
                values = [one["registers"][TARGET_NEED][place] for one in run]
                label = register if run is each[0] else None
                below.plot(steps, values, c=f"C{place}", alpha=0.7, label=label)
        above.set(ylim=(-0.02, 1.02), ylabel="all needs")
        above.set_title(title, fontsize="small")
        below.set(ylim=(-0.02, 1.02), xlabel="step", ylabel="where the target is needed")
    for axes in figure.axes[:2]:
        axes.legend(fontsize="x-small")
    figure.savefig(path, dpi=120)


def save_all(folder: Path, rows: Sequence[Row]) -> list[Path]:
    """Draw what the results allow, and return the files."""
    made: list[Path] = []
    for name in dict.fromkeys(row["arm"]["name"] for row in rows):
        own = [row for row in rows if row["arm"]["name"] == name]
        found = conditions(own)
        if len({one.settings.get("dose") for one in found}) > 2:
            made.append(folder / f"{name}-doses.svg")
            save_doses(made[-1], found, name)
        made.append(folder / f"{name}-tries.svg")
        save_reach(made[-1], found)
        exact = [
            ("\n".join(f"{field} {value}" for field, value in settings.items()), runs)
            for _, settings, runs in together(own)
            if all(one.get("began") and one["curve"] for one in runs)
        ]
        if exact:
            made.append(folder / f"{name}-steps.svg")
            save_steps(made[-1], exact)
        plain = [row for row in own if row["curve"] and row["arm"]["credit"] == 0]
        if plain:
            made.append(folder / f"{name}-curves.svg")
            save_curves(made[-1], plain)
    return made
