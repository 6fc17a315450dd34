"""How commands print: tables and reports for people, JSON for programs, progress on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

T = TypeVar("T")
out = Console(emoji=False)
err = Console(stderr=True, emoji=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of a table.")]


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """Print a table; the values stand as they are."""
    table = Table(title=title or None, title_justify="left")
    for name in columns:
        # An id that is broken in two cannot be copied.
        table.add_column(name, overflow="fold", no_wrap=name == "id")
    for row in rows:
        table.add_row(*(escape(str(value)) for value in row))
    out.print(table)


def print_json(value: object) -> None:
    """Print one JSON value on one line, whatever the terminal."""
    # What a terminal cannot show is escaped as JSON does it, so that it can be read back.
    wide = (sys.stdout.encoding or "").lower().startswith("utf")
    sys.stdout.write(json.dumps(value, ensure_ascii=not wide) + "\n")


def print_plain(text: str) -> None:
    """Print text as it is: no markup, no colours, no line broken."""
    out.print(text, markup=False, highlight=False, soft_wrap=True)


def tracked(items: Iterable[T], text: str, total: int) -> Iterator[T]:
    """Pass items on while a bar on stderr shows how far they are."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        yield from progress.track(items, total=total, description=text)
