"""`empathy-env explorable`: where an agent can learn, from its recorded talks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from textwrap import fill
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from empathy_env.commands.console import (
    AsJson,
    out,
    print_json,
    print_plain,
    print_table,
    tracked,
)
from empathy_env.errors import InvalidArgument, MissingExtra
from empathy_env.group import cell_of, of_one, started_alike
from empathy_env.measures.bootstrap import Interval
from empathy_env.measures.explorable import (
    Cell,
    Figure,
    HeatMap,
    Region,
    Side,
    explorable,
    heat_map,
    regions,
)
from empathy_env.measures.open_loop import Replays, by_code, simulator_noise
from empathy_env.trace import Trace, read_traces

FORMATS: Final = (".svg", ".png")
_SHADES: Final = ("on grey11", "on grey23", "on dark_green", "black on green4", "black on green3")
_WIDTH: Final = 6
"""Of a field of the map, in characters."""
_POINTS: Final = ("emotion", "within", "between")
"""Figures that are in points of emotion; the others are in [0, 1]."""


def command(
    paths: Annotated[list[Path], typer.Argument(help="Trace files of one agent and one user.")],
    group_size: Annotated[int, typer.Option(min=2, help="Members of a trainer's group.")] = 8,
    tries: Annotated[
        int | None, typer.Option(min=1, help="Tries for reach; by default the group size.")
    ] = None,
    goal: Annotated[
        float, typer.Option(min=0, max=100, help="Final emotion that counts as success.")
    ] = 100.0,
    delta: Annotated[
        float | None,
        typer.Option(min=0, help="Spread that counts, in points; by default the noise."),
    ] = None,
    noise_seeds: Annotated[
        int, typer.Option(min=0, help="Seeds to say the same words under again; 0: none.")
    ] = 8,
    scripts: Annotated[int, typer.Option(min=1, help="Talks a cell whose words are taken.")] = 4,
    figure: Annotated[Figure, typer.Option(help="What the map shows.")] = "signal",
    rows: Annotated[Side, typer.Option(help="Rows of the map.")] = "persona",
    columns: Annotated[Side, typer.Option(help="Columns of the map.")] = "need",
    path: Annotated[
        Path | None, typer.Option("--out", help="Draw the map here: .svg or .png.")
    ] = None,
    every_cell: Annotated[bool, typer.Option("--cells", help="Print each cell too.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Key of the resampling.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Say where an agent can learn: success, spread and gradient signal of each cell."""
    if noise_seeds == 1:
        raise InvalidArgument("--noise-seeds=1: a spread needs at least 2; 0 leaves it out")
    draw = None if path is None else _drawing(path)
    traces = [trace for one in paths for trace in of_one(read_traces(one), source=str(one))]
    played_by_code = all(map(by_code, traces))
    replays = _noise(traces, noise_seeds, scripts) if noise_seeds and played_by_code else None
    cells = explorable(
        traces, group_size=group_size, tries=tries, goal=goal, delta=delta, replays=replays
    )
    heat = heat_map(cells, figure, rows=rows, columns=columns)
    title = f"{figure} by {rows} and {columns}: success is {goal:g}, groups of {group_size}"
    if draw is not None and path is not None:
        draw(path, title, heat, 100.0 if figure in _POINTS else 1.0)
    found = regions(cells, seed=seed)
    if as_json:
        print_json(_data(cells, found, heat))
        return
    _print_heat(heat, figure, title)
    _print_regions(found)
    if every_cell:
        _print_cells(cells)
    _print_edges(cells)
    _print_missing(cells)
    if noise_seeds and not played_by_code:
        print_plain(
            "noise: not measured, for a model played the user: see `empathy-env noise`, "
            "and give --delta for graded"
        )
    if path is not None:
        print_plain(f"the map is in {path}")


def _drawing(path: Path) -> Callable[[Path, str, HeatMap, float], None]:
    """Return what draws a map, before anything is measured.

    Raises:
        InvalidArgument: If the file exists, or its name says no format.
        MissingExtra: If matplotlib is not installed.
    """
    if path.suffix not in FORMATS:
        raise InvalidArgument(f"--out={path}: a name that ends in .svg or .png is needed")
    if path.exists():
        raise InvalidArgument(f"--out={path} exists: give another name")
    try:
        from empathy_env.commands.chart import save_heat_map
    except ImportError as error:
        raise MissingExtra.of("--out", "report") from error
    return save_heat_map


def _noise(traces: Sequence[Trace], seeds: int, scripts: int) -> Replays:
    """Say the words again start by start, so that progress shows."""
    by_cell: dict[str, list[Trace]] = {}
    for alike in started_alike(traces):
        by_cell.setdefault(cell_of(alike[0]), []).extend(alike)
    found: dict[str, Sequence[Sequence[float]]] = {}
    for of_cell in tracked(by_cell.values(), "saying it again", len(by_cell)):
        found.update(simulator_noise(of_cell, seeds=seeds, scripts=scripts))
    return found


def _data(cells: Sequence[Cell], found: Mapping[str, Region], heat: HeatMap) -> dict[str, Any]:
    return {
        "cells": [
            _plain({**asdict(cell), "edge": cell.edge, "explorable": cell.explorable})
            for cell in cells
        ],
        "by_difficulty": {name: _plain(asdict(one)) for name, one in found.items()},
        "map": _plain(heat._asdict()),
    }


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold: intervals as mappings, NaN as null."""
    if isinstance(value, Interval):
        return _plain(value._asdict())
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return None if isinstance(value, float) and math.isnan(value) else value


def _print_heat(heat: HeatMap, figure: Figure, title: str) -> None:
    print_plain(title)
    heads = _heads(heat, out.width)
    # No lines between the fields: eight needs beside the personas fit into 80 columns.
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True, overflow="ellipsis")
    for head in heads:
        table.add_column(head, justify="right", min_width=_WIDTH)
    high = 100.0 if figure in _POINTS else 1.0
    for name, values in zip(heat.rows, heat.values, strict=True):
        shown = [Text(_number(value, high), style=_shade(value / high)) for value in values]
        table.add_row(Text(_spaced(name)), *shown)
    out.print(table)
    if heads and heads[0] == "1":
        key = ", ".join(
            f"{place} {name}" for place, name in enumerate(map(_spaced, heat.columns), 1)
        )
        print_plain(fill(f"columns: {key}", out.width, break_long_words=False))


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _heads(heat: HeatMap, width: int) -> list[str]:
    """Return the columns' names a word a line, or numbers where words would not fit."""
    words = [name.replace(",", " ").replace("_", " ").split() for name in heat.columns]
    wide = max(map(len, heat.rows), default=0)
    wide += sum(1 + max(_WIDTH, *map(len, of_one)) for of_one in words) + 1
    if wide > width:
        return [str(place) for place in range(1, len(words) + 1)]
    return ["\n".join(of_one) for of_one in words]


def _number(value: float, high: float = 1.0) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.2f}" if high <= 1.0 else f"{value:.1f}"


def _shade(share: float) -> str:
    if math.isnan(share):
        return ""
    return _SHADES[min(len(_SHADES) - 1, max(0, int(share * len(_SHADES))))]


def _print_regions(found: Mapping[str, Region]) -> None:
    head = ("", *(name.replace(",", ",\n") for name in found))
    lines: list[tuple[object, ...]] = [
        ("cells", *(one.cells for one in found.values())),
        ("episodes", *(one.episodes for one in found.values())),
        ("left out", *(one.left_out for one in found.values())),
    ]
    for label, name in (
        ("success", "success"),
        ("signal fraction", "signal"),
        ("graded signal", "graded"),
        ("explorable cells", "explorable"),
        ("edge cells", "edge"),
        ("simulator noise, points", "noise"),
        ("ICC of the final emotion", "icc"),
    ):
        lines.append((label, *(_shown(getattr(one, name)) for one in found.values())))
    print_table(head, lines, "means over cells, 95 % intervals over personas")


def _shown(interval: Interval) -> str:
    if math.isnan(interval.mean):
        return "-"
    if math.isnan(interval.low):
        return f"{interval.mean:.2f} (few personas)"
    return f"{interval.mean:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def _print_cells(cells: Sequence[Cell]) -> None:
    """Print a line for each cell, as wide as it is: a table would break its names."""
    head = ("cell", "episodes", "starts", "success", "emotion", "within", "between")
    lines: list[tuple[str, ...]] = [(*head, "signal", "graded", "reach", "noise", "ICC")]
    for cell in cells:
        points = (cell.emotion, cell.within, cell.between)
        shares = (cell.signal, cell.graded, cell.reach)
        lines.append(
            (
                f"{cell.persona}/{cell.need}/{cell.difficulty}",
                f"{cell.episodes}",
                f"{cell.starts}",
                _shown(cell.success),
                *(_number(value, 100.0) for value in points),
                *(_number(value) for value in shares),
                _number(cell.noise, 100.0),
                _number(cell.icc),
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells_of_line = [text.ljust(width) for text, width in zip(line, widths, strict=True)]
        print_plain("  ".join(cells_of_line).rstrip())


def _print_edges(cells: Sequence[Cell]) -> None:
    edges = [cell for cell in cells if cell.edge]
    if edges:
        print_plain("edge cells, rare and yet within reach:")
    for cell in edges:
        print_plain(f"  {cell.persona}/{cell.need}/{cell.difficulty}")


def _print_missing(cells: Sequence[Cell]) -> None:
    """Say what is not known, for how many cells, and which bound is meant."""
    for note, count in Counter(note for cell in cells for note in cell.notes).most_common():
        print_plain(f"not known in {count} of {len(cells)} cells: {note}")
    left_out = sum(cell.left_out for cell in cells)
    if left_out:
        print_plain(f"left out: {left_out} episodes that ended in a fault or have not ended")
    if any(cell.basis == "seeds" and not math.isnan(cell.signal) for cell in cells):
        print_plain(
            "each start was played once in some cells: there signal and reach are upper bounds "
            "on those of groups that share a start"
        )
