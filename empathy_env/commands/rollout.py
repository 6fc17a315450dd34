"""`empathy-env rollout`: play episodes with an agent and record them."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import Annotated, Final

import typer
from rich.markup import escape

from empathy_env.agents import Agent, load_agent
from empathy_env.backends import Backend
from empathy_env.commands.console import AsJson, err, print_json
from empathy_env.commands.progress import Costs, metered, totals, watched
from empathy_env.commands.stack import Limits, Models, Wraps, asking, opened, replayed, wrapped
from empathy_env.commands.summary import print_summaries, summary
from empathy_env.episode import ROUNDS_EACH, Task
from empathy_env.errors import InvalidArgument
from empathy_env.rollout import record
from empathy_env.scenario import Scenario
from empathy_env.tolerance import LEAST, FaultBudget
from empathy_env.trace import Trace, read_lines

INTERRUPTED: Final = 130
"""Exit code after ctrl-C, as shells have it."""
TURNS: Final = 10
"""Turns of a talk with one person, where nothing else is asked for."""
COLLECTIONS: Final = (100_000, 50, 100)
"""Thresholds of the garbage collector: with a thousand talks under way the default ones took a
quarter of the time (`benchmarks/rollout_throughput.py --collect-often`), and a talk leaves little
garbage behind."""


def rollout(
    agent: Annotated[
        str, typer.Option(help="Name, path to a Python file, or a model: openai:MODEL@URL.")
    ],
    path: Annotated[Path, typer.Option("--out", help="Trace file to write.")],
    personas: Annotated[
        str | None,
        typer.Option(help="Selection, such as 'split:dev tag:work'; by default all."),
    ] = None,
    cast: Annotated[
        str | None,
        typer.Option(help="Several people at once: a cast's name or YAML file, split:dev, or all."),
    ] = None,
    user: Annotated[
        str, typer.Option(help="Who plays the user: code, or a model such as openai:MODEL@URL.")
    ] = "code",
    appraiser: Annotated[
        str, typer.Option(help="Who finds evidence: rules, rules-b, model, or a backend.")
    ] = "",
    speaker: Annotated[str, typer.Option(help="Who words replies: templates or model.")] = "",
    samples: Annotated[
        int,
        typer.Option(min=1, help="Appraisals of each turn by the model, of which a vote is taken."),
    ] = 1,
    difficulty: Annotated[
        str, typer.Option(help="Preset, knobs, or both: severe,masking=0.9.")
    ] = "moderate",
    protocol: Annotated[str, typer.Option()] = "appraisal-v1",
    scaffold: Annotated[
        str, typer.Option(help="What the agent writes before it speaks, such as think-then-say.")
    ] = "plain",
    reward: Annotated[
        str, typer.Option(help="Name, module:function, or a sum: terminal=1,format=0.1.")
    ] = "terminal",
    episodes: Annotated[int, typer.Option(min=1, help="Starts, each with a seed.")] = 24,
    members: Annotated[
        int, typer.Option(min=1, help="Talks from each start, which share the user's noise.")
    ] = 1,
    max_turns: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=f"Turns of the agent: {TURNS}, or with a cast {ROUNDS_EACH} for each person.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="First seed.")] = 0,
    concurrency: Annotated[int, typer.Option(min=1, help="Talks at once.")] = 16,
    cache: Annotated[Path | None, typer.Option(help="Keep replies in this file.")] = None,
    retries: Annotated[
        int, typer.Option(min=0, help="How often a request that failed is sent again.")
    ] = 3,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds after which a request has failed.")
    ] = None,
    tape: Annotated[
        Path | None, typer.Option("--record", help="Record all replies of the models here.")
    ] = None,
    replay_tape: Annotated[
        Path | None, typer.Option("--replay", help="Take all replies from this tape.")
    ] = None,
    max_requests: Annotated[int | None, typer.Option(min=1, help="Stop after so many.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Stop after so many.")] = None,
    max_dollars: Annotated[float | None, typer.Option(help="Stop when they are spent.")] = None,
    max_faults: Annotated[
        float, typer.Option(min=0, max=1, help="Share of episodes that may end in a fault.")
    ] = 0.1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the file.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Nothing on stderr but errors.")] = False,
    as_json: AsJson = False,
) -> None:
    """Play episodes with an agent and record them, one JSON line each.

    Keys of servers come from the environment: OPENAI_API_KEY.
    """
    _check_people(personas, cast)
    if tape and replay_tape:
        raise InvalidArgument(
            "--record and --replay exclude each other: a tape is one or the other"
        )
    gc.set_threshold(*COLLECTIONS)  # for the process, which a command owns and a library does not
    if tape and tape.exists() and not resume:
        raise InvalidArgument(
            f"--record={tape} exists: give --resume to go on with it, or another name"
        )
    limits = Limits(max_requests, max_tokens, max_dollars)
    wraps = Wraps(attempts=retries + 1, cache=cache, tape=tape)
    player = load_agent(_timed(agent, timeout))
    task = Task(
        personas=(personas or "all") if cast is None else None,
        cast=cast,
        user=_timed(user, timeout),
        appraiser=_timed(appraiser, timeout) or None,
        speaker=_timed(speaker, timeout) or None,
        appraiser_samples=samples,
        difficulty=difficulty,
        protocol=protocol,
        scaffold=scaffold,
        reward=reward,
        max_turns=TURNS if max_turns is None and cast is None else max_turns,
    )
    costs = Costs()
    models = Models(task.backend, player.backend)
    models = replayed(models, replay_tape) if replay_tape else wrapped(models, wraps, limits)
    models = metered(models, costs)
    if models.agent is not None:
        player = Agent.asking(models.agent)
    task = asking(task, models.user)
    starts = range(seed, seed + episodes)
    scenarios = [task.scenario(start, member=m) for start in starts for m in range(members)]
    budget = FaultBudget(max_faults, least=LEAST if max_faults else 0)
    talks = record(
        path, task, player, scenarios, concurrency=concurrency, faults=budget, resume=resume
    )
    started = monotonic()
    new = _played(talks, path, costs, len(scenarios), quiet)
    if (line := totals(costs, monotonic() - started)) and not quiet:
        err.print(line, highlight=False, soft_wrap=True)
    row = summary(player.name, _wanted(path, scenarios))
    if as_json:
        print_json({"traces": str(path), "new": new, **row, "meter": dict(costs)})
    else:
        count = row["episodes"] + row["faults"]
        print_summaries([row], f"{count} talks, {new} of them new, in {escape(str(path))}")
    if not row["episodes"]:
        raise typer.Exit(1)


def _check_people(personas: str | None, cast: str | None) -> None:
    if personas is not None and cast is not None:
        raise InvalidArgument(
            "--personas and --cast exclude each other: a cast brings people of its own"
        )
    if personas is not None and not personas.strip():
        raise InvalidArgument(f"--personas={personas!r} selects nothing: give 'all' for everybody")


def _timed(spec: str, timeout_seconds: float | None) -> str | Backend:
    return spec if timeout_seconds is None else opened(spec, timeout_seconds)


def _played(talks: Iterator[Trace], path: Path, costs: Costs, total: int, quiet: bool) -> int:
    """Play to the end and return how many talks came; after ctrl-C say how to go on."""
    done = min(total, _lines(path))
    try:
        return sum(1 for _ in watched(talks, costs, total=total - done, quiet=quiet))
    except KeyboardInterrupt:
        err.print(
            f"stopped; talks in {path}: {_lines(path)}. Go on with --resume.",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        raise typer.Exit(INTERRUPTED) from None


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def _wanted(path: Path, scenarios: Sequence[Scenario]) -> list[Trace]:
    """Return the traces of these scenarios."""
    wanted = {scenario.episode_id for scenario in scenarios}
    return [line.trace for line in read_lines(path).lines if line.trace.id in wanted]
