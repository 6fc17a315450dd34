"""The page of `empathy-env ceiling`: one HTML file that needs no other."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Final

from empathy_env.commands.ceiling_learnt import TITLE, learnt_table
from empathy_env.commands.ceiling_report import FIGURES, Report
from empathy_env.commands.ceiling_words import conclusions, shown
from empathy_env.measures.ceiling import Ceiling, Ends

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff; }
table { border-collapse: collapse; margin: 1rem 0; font-size: 0.85rem; }
th, td { border-bottom: 1px solid #ddd; padding: 0.2rem 0.8rem 0.2rem 0; text-align: left;
  font-variant-numeric: tabular-nums; }
figure { margin: 1.5rem 0; } figure svg { max-width: 100%; height: auto; }
figcaption { font-size: 0.85rem; color: #555; }
"""
_CAPTIONS: Final[Mapping[str, str]] = {
    "success": "Success within k tries, mean over personas. Shaded: 95 % intervals for each k.",
    "difference": "Trained less base. Dark: 95 % for each k alone; light: for all k at once.",
    "emotion": "Best and worst final emotion of k tries, in points of 100.",
    "cells": "Each place under base and trained policy, with one-sided 95 % bounds.",
    "support": "What training did to the places, at the budget.",
}

Row = Sequence[object]


def page(found: Report, figures: Mapping[str, str]) -> str:
    """Return the page.

    Args:
        found: All figures of a comparison.
        figures: Drawings as SVG, by name.
    """
    body = [
        "<h1>What training reached beyond its base</h1>",
        f"<p>{escape(headline(found))}</p>",
        "<h2>What this shows, and what it does not</h2>",
        "<ul>",
        *(f"<li>{escape(sentence)}</li>" for sentence in conclusions(found)),
        "</ul>",
        *(_figure(name, svg) for name, svg in figures.items()),
        "<h2>Numbers</h2>",
    ]
    for title, one, digits in every_curve(found):
        body.append(_table(title, *curve_table(one, digits)))
        body.append(f"<p>{escape(curve_note(one, digits))}</p>")
    if found.floors is not None:
        body.append(_table("success of luck", *floor_table(found)))
    body.append(_table("places by what became of them", *support_table(found)))
    body.append(_table("verdicts at the budget", *ruling_table(found)))
    if found.learnt:
        body.append(_table(TITLE, *learnt_table(found.learnt)))
    for name in found.tables:
        body.append(_table(f"places: {name}", *cell_table(found, name)))
    head = f"<meta charset='utf-8'><title>Ceiling</title><style>{_STYLE}</style>"
    return f"<!doctype html>\n<html lang='en'><head>{head}</head>\n<body>\n" + "\n".join(
        [*body, "</body></html>\n"]
    )


def every_curve(found: Report) -> Iterator[tuple[str, Ceiling, int]]:
    """Yield all curves, each with a title and how many digits it is shown with."""
    for name, curve in found.curves.items():
        title, digits = FIGURES[name].title, FIGURES[name].digits
        yield title, curve.pooled, digits
        for run, one in curve.by_run.items():
            yield f"{title}: {run}", one, digits
        for control, one in curve.controls.items():
            yield f"{title}: {control}, in place of the trained policy", one, digits
    if found.robust is not None:
        title = "robust success: the same words succeed under at least half of other seeds"
        yield title, found.robust.pooled, 2


def headline(found: Report) -> str:
    """Return what was compared, in one line."""
    episodes = ", ".join(f"{name} {count}" for name, count in found.episodes.items())
    success = found.curves["success"].pooled
    budget = "declared" if found.declared else "not declared"
    return (
        f"Success is a final emotion of {found.goal:g}. {found.places} places (unit: {found.unit}) "
        f"of {success.personas} personas; episodes: {episodes}. Budget {found.budget} tries, "
        f"{budget}. Intervals are 95 %, over personas" + (" and runs." if success.runs > 1 else ".")
    )


def _figure(name: str, svg: str) -> str:
    drawing = svg[svg.index("<svg") :]
    # Two drawings in one page must not have parts of the same name.
    drawing = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", drawing)
    return f"<figure>{drawing}<figcaption>{escape(_CAPTIONS[name])}</figcaption></figure>"


def _table(title: str, heads: Sequence[str], rows: Iterable[Row]) -> str:
    def line(cells: Row, tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(str(one))}</{tag}>" for one in cells) + "</tr>"

    lines = [f"<h3>{escape(title)}</h3>", "<table>", line(heads, "th")]
    return "\n".join([*lines, *(line(row, "td") for row in rows), "</table>"])


def curve_table(one: Ceiling, digits: int) -> tuple[Sequence[str], list[Row]]:
    """Return heads and rows of one figure over the number of tries."""
    rows: list[Row] = [
        (
            k,
            shown(one.base[place], digits),
            shown(one.trained[place], digits),
            shown(one.difference[place], digits),
            _ends(one.band[place], digits),
        )
        for place, k in enumerate(one.tries)
    ]
    return ("k", "base", "trained", "difference", "at all k"), rows


def _ends(one: Ends, digits: int) -> str:
    return "-" if math.isnan(one.low) else f"[{one.low:.{digits}f}, {one.high:.{digits}f}]"


def curve_note(one: Ceiling, digits: int) -> str:
    """Return the figures of a curve that are not of one number of tries."""
    return (
        f"crossover {shown(one.crossover, 0)}; gap {shown(one.gap, digits)}; area: base "
        f"{shown(one.base_area, digits)}, trained {shown(one.trained_area, digits)}, difference "
        f"{shown(one.area, digits)}"
    )


def floor_table(found: Report) -> tuple[Sequence[str], list[Row]]:
    """Return heads and rows of what luck reaches, and whether the policies are above it."""
    assert found.floors is not None
    floors, tries = found.floors, found.curves["success"].pooled.tries
    said = {True: "above", False: "not above", None: "not known"}
    rows: list[Row] = [
        (
            k,
            *(shown(curve[place]) for curve in floors.curves.values()),
            said[floors.base.above[place]],
            said[floors.trained.above[place]],
        )
        for place, k in enumerate(tries)
    ]
    return ("k", *floors.curves, "base is", "trained is"), rows


def support_table(found: Report) -> tuple[Sequence[str], list[Row]]:
    """Return heads and rows of the support tables of all runs."""
    supports = [table.support for table in found.tables.values()]
    rows: list[Row] = [
        (fate, *(one.counts[fate] for one in supports)) for fate in supports[0].counts
    ]
    for label, name in (
        ("share undetermined", "undetermined"),
        ("SRR, retained", "retained"),
        ("NDR, discovered", "discovered"),
        ("SDS, balance", "balance"),
        ("NSCR, net change", "net"),
    ):
        rows.append((label, *(shown(getattr(one, name)) for one in supports)))
    return ("", *found.tables), rows


def ruling_table(found: Report) -> tuple[Sequence[str], list[Row]]:
    """Return heads and rows of the verdicts of all runs."""
    tables = list(found.tables.values())
    rows: list[Row] = [
        (ruling, *(table.rulings[ruling] for table in tables)) for ruling in tables[0].rulings
    ]
    return ("", *found.tables), rows


def cell_table(found: Report, run: str) -> tuple[Sequence[str], list[Row]]:
    """Return heads and rows of the places of one run."""
    rows: list[Row] = []
    for cell in found.tables[run].cells:
        base, trained = cell.base, cell.trained
        rows.append(
            (
                cell.place.unit,
                f"{base.successes}/{base.episodes} [{base.low:.3f}, {base.high:.3f}]",
                f"{trained.successes}/{trained.episodes} [{trained.low:.3f}, {trained.high:.3f}]",
                shown(cell.tries_of_base, 1),
                shown(cell.tries_of_trained, 1),
                cell.fate,
                f"{cell.verdict.ruling}: {cell.verdict.why}",
            )
        )
    heads = ("place", "base", "trained", "tries, base", "tries, trained", "fate", "verdict")
    return heads, rows
