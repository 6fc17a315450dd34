"""`empathy-env traces`: data sets made of recorded talks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from empathy_env.commands.console import AsJson, print_json, print_plain
from empathy_env.errors import InvalidArgument
from empathy_env.exports import Selected, demonstrations, preferences, selected, takes_raw
from empathy_env.group import of_one
from empathy_env.scaffold import malformed
from empathy_env.trace import Trace, read_traces

app = typer.Typer(help="Data sets made of recorded talks.", no_args_is_help=True)

Paths = Annotated[list[Path], typer.Argument(help="Trace files.")]
Out = Annotated[Path, typer.Option("--out", help="File to write, one JSON row a line.")]
MinEmotion = Annotated[float, typer.Option(help="Least final emotion, in [0, 100].")]
Success = Annotated[bool, typer.Option("--success", help="Only talks that ended in success.")]
Raw = Annotated[
    bool | None,
    typer.Option(
        "--agent-raw/--agent-heard",
        help="Learn what the agent wrote, thoughts included, or what was heard of it. By default "
        "the first for talks with a scaffold, the second for plain ones.",
    ),
]


@app.command("to-sft")
def to_sft(
    paths: Paths,
    path: Out,
    min_emotion: MinEmotion = 0.0,
    success: Success = False,
    raw: Raw = None,
    as_json: AsJson = False,
) -> None:
    """Write talks to imitate: {"messages": [...]} for each.

    Of talks with a scaffold each turn is a row of its own, {"prompt": [...], "completion": [...]}:
    the talk before it as it was heard, and the turn as it was written. Turns that were malformed
    are left out.
    """
    chosen = selected(_traces(paths), min_emotion=min_emotion, success=success)
    if len({takes_raw(trace, raw) for trace in chosen.traces}) > 1:
        raise InvalidArgument(
            "paths hold talks with a scaffold and without one, whose rows have other columns: give "
            "--agent-raw or --agent-heard for all of them, or write two files"
        )
    rows = [row for trace in chosen.traces for row in demonstrations(trace, raw=raw)]
    broken = sum(
        malformed(turn.flags)
        for trace in chosen.traces
        if takes_raw(trace, raw)
        for turn in trace.turns
    )
    _write(path, rows)
    _report(path, len(rows), chosen, as_json, broken)


@app.command("to-dpo")
def to_dpo(
    paths: Paths,
    path: Out,
    margin: Annotated[float, typer.Option(help="Least difference of reward.")] = 0.1,
    raw: Raw = None,
    as_json: AsJson = False,
) -> None:
    """Write what to say rather than what: {"prompt", "chosen", "rejected"} for each start.

    Give the files of several agents on the same seeds, or of a group of talks with one start.
    """
    chosen = selected(_traces(paths, several=False))
    rows = preferences(chosen.traces, margin=margin, raw=raw)
    _write(path, rows)
    _report(path, len(rows), chosen, as_json)


def _traces(paths: Sequence[Path], *, several: bool = True) -> Iterator[Trace]:
    for path in paths:
        traces = read_traces(path)
        yield from traces if several else of_one(traces, source=str(path))


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    if path.exists():
        raise InvalidArgument(f"--out={path} exists: give another name")
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _report(path: Path, rows: int, chosen: Selected, as_json: bool, broken: int = 0) -> None:
    counts = {"faulted": chosen.faulted, "unfinished": chosen.unfinished, "below": chosen.below}
    if as_json:
        found = {"rows": rows, "talks": len(chosen.traces), "out": str(path)}
        print_json({**found, **counts, "malformed_turns": broken})
        return
    talks = len(chosen.traces) + sum(counts.values())
    print_plain(f"{rows} rows of {talks} talks in {path}")
    print_plain(
        f"left out: {chosen.faulted} that ended in a fault, {chosen.unfinished} unfinished, "
        f"{chosen.below} that did not come out well enough"
    )
    if broken:
        print_plain(f"left out as malformed: {broken} turns")
