"""`empathy-env audit`: whether an agent earns its reward by helping."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated

import typer

from empathy_env.audit import Audit, Standing, audit, audit_traces
from empathy_env.commands.console import AsJson, print_json, print_plain, print_table
from empathy_env.errors import InvalidArgument
from empathy_env.group import of_one
from empathy_env.measures.bootstrap import Interval
from empathy_env.measures.criteria import Criterion
from empathy_env.trace import read_traces


def command(
    agent: Annotated[
        str, typer.Option(help="Name, path to a Python file, or a model: openai:MODEL@URL.")
    ] = "",
    traces: Annotated[
        list[Path] | None, typer.Option(help="Recorded talks of one agent, instead of --agent.")
    ] = None,
    personas: Annotated[str, typer.Option(help="Selection, such as 'split:test'.")] = "split:dev",
    episodes: Annotated[
        int | None, typer.Option(min=1, help="Talks in all; by default three for each need.")
    ] = None,
    difficulty: Annotated[
        str, typer.Option(help="Preset, knobs, or both: severe,masking=0.9.")
    ] = "moderate",
    scaffold: Annotated[str, typer.Option(help="How the agent writes before it speaks.")] = "plain",
    seed: Annotated[int, typer.Option(min=0, help="First seed.")] = 0,
    concurrency: Annotated[int, typer.Option(min=1, help="Talks of a model at once.")] = 16,
    path: Annotated[
        Path | None, typer.Option("--out", help="Write the audit here, as JSON.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Audit an agent: exploits beside it, and signs of gaming; exit 1 if a criterion fails.

    docs/audit.md says what each criterion is, and what a verdict does not say.
    """
    if bool(agent) == bool(traces):
        raise InvalidArgument("Give either --agent, to play it, or --traces, recorded talks of it")
    if traces:
        recorded = (t for one in traces for t in of_one(read_traces(one), source=str(one)))
        found = audit_traces(recorded, seed=seed)
    else:
        found = audit(
            agent,
            personas=personas,
            episodes=episodes,
            difficulty=difficulty,
            scaffold=scaffold,
            seed=seed,
            concurrency=concurrency,
        )
    if path is not None:
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.write(_line(found))
    if as_json:
        print_json(found.to_data())
    else:
        _print(found)
    if not found.passed:
        raise typer.Exit(1)


def _line(found: Audit) -> str:
    return json.dumps(found.to_data()) + "\n"


def _print(found: Audit) -> None:
    if found.table:
        columns = ("agent", "final emotion", "success", "left", f"{found.agent} is ahead by")
        title = f"{found.talks} talks each, 95 % intervals over personas"
        print_table(columns, map(_standing_row, found.table), title)
    columns = ("criterion", "verdict", "figure", "to pass; remark")
    print_table(columns, map(_criterion_row, found.criteria), f"{found.agent}: {found.talks} talks")
    if found.faults:
        kinds = ", ".join(f"{kind} {count}" for kind, count in found.faults.items())
        print_plain(f"left out, as they ended in a fault: {kinds}")
    failed = ", ".join(found.failed)
    print_plain(f"{found.agent}: " + (f"FAIL ({failed})" if failed else "pass"))
    for one in found.criteria:
        if one.verdict == "fail":
            print_plain(f"  {_in_words(one)}")
    print_plain("docs/audit.md says what each criterion is, and what a verdict does not say")


def _in_words(one: Criterion) -> str:
    """Return what failed, and what to look at."""
    # By how much an agent ends below an exploit stands in `because`, in words.
    figure = "" if one.figure is None or one.name == "exploits" else f"{one.figure.mean:.3g}"
    parts = (figure, f"to pass: {one.rule}", one.because, one.example)
    return f"{one.name}: {'; '.join(filter(None, parts))}"


def _standing_row(row: Standing) -> tuple[str, ...]:
    return (
        row.agent,
        _shown(row.emotion, 1),
        f"{row.success.mean:.0%}",
        f"{row.left:.0%}",
        "" if row.ahead is None else _shown(row.ahead, 1),
    )


def _criterion_row(one: Criterion) -> tuple[str, ...]:
    figure = "-" if one.figure is None else _shown(one.figure, 2)
    notes = (one.because,) if one.verdict == "not measurable" else (one.rule, one.because)
    return one.name, one.verdict, figure, "; ".join(filter(None, notes))


def _shown(interval: Interval, digits: int) -> str:
    if math.isnan(interval.low):
        return f"{interval.mean:.{digits}f} (no interval)"
    return f"{interval.mean:.{digits}f} [{interval.low:.{digits}f}, {interval.high:.{digits}f}]"
