"""The figures of `empathy-env ceiling` as SVG. Needs matplotlib (the extra `report`)."""

# matplotlib's own types leave much unknown.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from io import StringIO
from typing import Final

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from empathy_env.commands.ceiling_report import FIGURES, Report
from empathy_env.measures.bootstrap import Interval
from empathy_env.measures.support import FATES

_BASE, _TRAINED, _OTHER = "#0072b2", "#d55e00", "#888888"
"""Of Okabe and Ito's palette, which colour-blind people can tell apart."""
_FATES: Final = ("#009e73", "#56b4e9", "#d55e00", "#bbbbbb", "#eeeeee")


def drawn(found: Report) -> dict[str, str]:
    """Return each figure as SVG text, by its name; the same report gives the same text."""
    panels: dict[str, Callable[[Axes], None]] = {
        "success": lambda axes: _success(axes, found),
        "difference": lambda axes: _difference(axes, found),
        "emotion": lambda axes: _emotion(axes, found),
        "cells": lambda axes: _cells(axes, found),
        "support": lambda axes: _support(axes, found),
    }
    return {name: _svg(name, draw) for name, draw in panels.items()}


def _svg(name: str, draw: Callable[[Axes], None]) -> str:
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    draw(figure.add_subplot())
    text = StringIO()
    # Without a date and with names of its own for elements, the same figure is the same text, and
    # several fit into one page.
    with rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def _over_tries(axes: Axes, tries: Sequence[int], label: str) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(tries), [str(k) for k in tries])
    axes.set(xlabel="tries k", ylabel=label)
    axes.grid(visible=True, alpha=0.3)


def _line(
    axes: Axes,
    tries: Sequence[int],
    curve: Sequence[Interval],
    label: str,
    colour: str,
    style: str = "-",
) -> None:
    axes.plot(tries, [one.mean for one in curve], style, marker="o", color=colour, label=label)
    axes.fill_between(
        tries,
        [one.low for one in curve],
        [one.high for one in curve],
        color=colour,
        alpha=0.18,
        linewidth=0,
    )


def _success(axes: Axes, found: Report) -> None:
    curve = found.curves["success"]
    tries = curve.pooled.tries
    _line(axes, tries, curve.pooled.base, "base", _BASE)
    _line(axes, tries, curve.pooled.trained, "trained", _TRAINED)
    for one in curve.by_run.values():
        axes.plot(tries, [at.mean for at in one.trained], color=_TRAINED, alpha=0.5, linewidth=0.8)
    for name, one in curve.controls.items():
        axes.plot(tries, [at.mean for at in one.trained], color="#cc79a7", ls="-.", label=name)
    if found.floors is not None:
        for (name, values), style in zip(
            found.floors.curves.items(), (":", "--", "-."), strict=False
        ):
            axes.plot(
                tries, [at.mean for at in values], color=_OTHER, ls=style, label=f"luck: {name}"
            )
    _over_tries(axes, tries, FIGURES["success"].title)
    axes.set_ylim(-0.02, 1.02)
    axes.legend(fontsize="small")


def _difference(axes: Axes, found: Report) -> None:
    one = found.curves["success"].pooled
    axes.axhline(0.0, color="black", linewidth=0.8)
    lows, highs = [ends.low for ends in one.band], [ends.high for ends in one.band]
    axes.fill_between(
        one.tries, lows, highs, color=_TRAINED, alpha=0.12, linewidth=0, label="at all k at once"
    )
    _line(axes, one.tries, one.difference, "trained less base", _TRAINED)
    if math.isfinite(one.crossover.mean):
        axes.axvline(one.crossover.mean, color=_BASE, ls=":", label="crossover")
    _over_tries(axes, one.tries, "difference in success")
    axes.legend(fontsize="small")


def _emotion(axes: Axes, found: Report) -> None:
    for name, style in (("best", "-"), ("worst", "--")):
        one = found.curves[name].pooled
        _line(axes, one.tries, one.base, f"base, {name}", _BASE, style)
        _line(axes, one.tries, one.trained, f"trained, {name}", _TRAINED, style)
    _over_tries(axes, found.curves["best"].pooled.tries, "final emotion of k tries")
    axes.legend(fontsize="small")


def _cells(axes: Axes, found: Report) -> None:
    axes.plot([0, 1], [0, 1], color="black", linewidth=0.8)
    for number, (name, table) in enumerate(found.tables.items()):
        colour = (_TRAINED, "#009e73", "#cc79a7", "#e69f00", "#56b4e9")[number % 5]
        base, trained = ([one.base for one in table.cells], [one.trained for one in table.cells])
        axes.errorbar(
            [one.rate for one in base],
            [one.rate for one in trained],
            xerr=[[one.rate - one.low for one in base], [one.high - one.rate for one in base]],
            yerr=[
                [one.rate - one.low for one in trained],
                [one.high - one.rate for one in trained],
            ],
            fmt="o",
            markersize=3,
            elinewidth=0.6,
            color=colour,
            label=name,
        )
    axes.set(xlabel="success rate of the base", ylabel="success rate of the trained policy")
    axes.legend(fontsize="small")


def _support(axes: Axes, found: Report) -> None:
    names = list(found.tables)
    left = [0] * len(names)
    for fate, colour in zip(FATES, _FATES, strict=True):
        counts = [found.tables[name].support.counts[fate] for name in names]
        axes.barh(names, counts, left=left, color=colour, edgecolor="#555555", label=fate)
        left = [a + b for a, b in zip(left, counts, strict=True)]
    axes.set(xlabel=f"places, at a budget of {found.budget} tries")
    axes.legend(fontsize="small", ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
