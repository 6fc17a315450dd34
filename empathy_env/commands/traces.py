"""`empathy-env traces`: data sets made of recorded talks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from empathy_env.commands.console import AsJson, print_json, print_plain
from empathy_env.errors import InvalidArgument
from empathy_env.exports import Selected, demonstration, preferences, selected
from empathy_env.trace import Trace, read_traces

app = typer.Typer(help="Data sets made of recorded talks.", no_args_is_help=True)

Paths = Annotated[list[Path], typer.Argument(help="Trace files.")]
Out = Annotated[Path, typer.Option("--out", help="File to write, one JSON row a line.")]
MinEmotion = Annotated[float, typer.Option(help="Least final emotion, in [0, 100].")]
Success = Annotated[bool, typer.Option("--success", help="Only talks that ended in success.")]
Raw = Annotated[
    bool, typer.Option("--agent-raw", help="All that the agent wrote, its thoughts included.")
]


@app.command("to-sft")
def to_sft(
    paths: Paths,
    path: Out,
    min_emotion: MinEmotion = 0.0,
    success: Success = False,
    raw: Raw = False,
    as_json: AsJson = False,
) -> None:
    """Write talks to imitate: {"messages": [...]} for each."""
    chosen = selected(_traces(paths), min_emotion=min_emotion, success=success)
    rows = [demonstration(trace, raw=raw) for trace in chosen.traces]
    _write(path, rows)
    _report(path, len(rows), chosen, as_json)


@app.command("to-dpo")
def to_dpo(
    paths: Paths,
    path: Out,
    margin: Annotated[float, typer.Option(help="Least difference of reward.")] = 0.1,
    raw: Raw = False,
    as_json: AsJson = False,
) -> None:
    """Write what to say rather than what: {"prompt", "chosen", "rejected"} for each start.

    Give the files of several agents on the same seeds, or of a group of talks with one start.
    """
    chosen = selected(_traces(paths))
    rows = preferences(chosen.traces, margin=margin, raw=raw)
    _write(path, rows)
    _report(path, len(rows), chosen, as_json)


def _traces(paths: Sequence[Path]) -> Iterator[Trace]:
    for path in paths:
        yield from read_traces(path)


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    if path.exists():
        raise InvalidArgument(f"--out={path} exists: give another name")
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _report(path: Path, rows: int, chosen: Selected, as_json: bool) -> None:
    counts = {"faulted": chosen.faulted, "unfinished": chosen.unfinished, "below": chosen.below}
    if as_json:
        print_json({"rows": rows, "talks": len(chosen.traces), "out": str(path), **counts})
        return
    talks = len(chosen.traces) + sum(counts.values())
    print_plain(f"{rows} rows of {talks} talks in {path}")
    print_plain(
        f"left out: {chosen.faulted} that ended in a fault, {chosen.unfinished} unfinished, "
        f"{chosen.below} that did not come out well enough"
    )
