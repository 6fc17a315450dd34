"""Play whole episodes with an agent, one or many, and resume what was interrupted."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import compress
from pathlib import Path
from typing import Any

from empathy_env.agents import Agent
from empathy_env.drivers import run
from empathy_env.episode import Task
from empathy_env.errors import InvalidArgument
from empathy_env.flight import Keep, backend_of, in_flight, played
from empathy_env.scenario import Scenario
from empathy_env.tolerance import FaultBudget, Tally
from empathy_env.trace import Trace, read_lines

_BUDGET = FaultBudget()


def play(task: Task, agent: Agent, scenario: Scenario) -> Trace:
    """Play one episode to its end and return its trace.

    Raises:
        Fault: If machinery failed.
    """
    trace, fault = run(played(task, agent, scenario), backend_of(task, agent))
    if fault is not None:
        raise fault
    return trace


def rollouts(
    task: Task,
    agent: Agent,
    scenarios: Iterable[Scenario],
    *,
    concurrency: int = 1,
    faults: FaultBudget = _BUDGET,
) -> Iterator[Trace]:
    """Play episodes and yield each trace when it is finished.

    Where a model is asked, up to `concurrency` talks are under way at once, while this iterator is
    waited for; between two traces they stand still. Without a model there is nothing to wait for,
    and the talks are played one by one. The records do not depend on `concurrency`; the order in
    which they come does.

    A fault ends its own episode, whose trace is yielded with `fault` set: leave it out of means and
    of training.

    Raises:
        InvalidArgument: At once, if `concurrency` is below 1, or if a model is asked and an event
            loop is running here, where `rollouts_async` is needed; later, if the agent answers no
            str.
        TooManyFaults: If there are more faults than `faults` allows.
    """
    _check(task, agent, concurrency)
    return _rollouts(task, agent, scenarios, concurrency, faults, _keep_none)


def rollouts_async(
    task: Task,
    agent: Agent,
    scenarios: Iterable[Scenario],
    *,
    concurrency: int = 1,
    faults: FaultBudget = _BUDGET,
) -> AsyncGenerator[Trace]:
    """Play episodes on the running event loop; see `rollouts`.

    The talks go on while a trace is worked on, until so many are finished that no new one is begun.
    Leave the loop early only within `contextlib.aclosing`, so that what is under way is stopped.
    """
    _check_concurrency(concurrency)
    tally = Tally(faults)
    return in_flight(
        task, agent, iter(scenarios), concurrency=concurrency, tally=tally, keep=_keep_none
    )


def _rollouts(
    task: Task,
    agent: Agent,
    scenarios: Iterable[Scenario],
    concurrency: int,
    faults: FaultBudget,
    keep: Keep,
) -> Iterator[Trace]:
    left, tally = iter(scenarios), Tally(faults)
    if backend_of(task, agent) is None:
        return _one_by_one(task, agent, left, tally, keep)
    return _driven(in_flight(task, agent, left, concurrency=concurrency, tally=tally, keep=keep))


def _one_by_one(
    task: Task, agent: Agent, left: Iterator[Scenario], tally: Tally, keep: Keep
) -> Iterator[Trace]:
    for scenario in left:
        trace, fault = run(played(task, agent, scenario))
        keep(trace)
        yield trace
        tally.add(fault)


def _driven(traces: AsyncGenerator[Trace]) -> Iterator[Trace]:
    """Drive an asynchronous generator from a loop of its own.

    In the caller's thread: an agent that is trained between two traces is never asked meanwhile.
    """
    with asyncio.Runner() as runner:  # when it closes, it cancels what is under way
        while (trace := runner.run(_next(traces))) is not None:
            yield trace


async def _next(traces: AsyncGenerator[Trace]) -> Trace | None:
    return await anext(traces, None)


def _keep_none(trace: Trace) -> None:
    """Leave it to who takes the trace."""


def _check(task: Task, agent: Agent, concurrency: int) -> None:
    _check_concurrency(concurrency)
    if backend_of(task, agent) is not None and _loop_is_running():
        raise InvalidArgument(
            "an event loop is running here, and waiting for a model would block it: "
            "use `async for trace in rollouts_async(...)`"
        )


def _check_concurrency(concurrency: int) -> None:
    if concurrency < 1:
        raise InvalidArgument(f"Cannot have concurrency={concurrency} < 1")


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def record(
    path: str | os.PathLike[str],
    task: Task,
    agent: Agent,
    scenarios: Iterable[Scenario],
    *,
    concurrency: int = 1,
    faults: FaultBudget = _BUDGET,
    resume: bool = False,
) -> Iterator[Trace]:
    """Play episodes, append each to a file as soon as it has ended, and yield it.

    Killed at any moment, this loses at most the unfinished episodes. With `resume`, episodes that
    the file holds are skipped; those that ended in a fault are taken out of it and played again,
    and a torn last line is cut off.

    Raises:
        InvalidArgument: At once, if two scenarios have one episode id, if `concurrency` is below
            1, or if the file exists and `resume` is False, or holds a broken line, or an episode
            of another configuration, wanted now or not. See also `rollouts`.
        TooManyFaults: See `rollouts`; what was finished is in the file.
    """
    file = Path(path)
    wanted = list(scenarios)
    _refuse_twins(wanted)
    if file.exists() and not resume:
        raise InvalidArgument(
            f"{file} exists: give resume (--resume) to go on with it, or another name"
        )
    _check(task, agent, concurrency)
    done = _resumed(file, task, agent, wanted) if file.exists() else set[str]()
    left = [scenario for scenario in wanted if scenario.episode_id not in done]
    return _recorded(file, partial(_rollouts, task, agent, left, concurrency, faults))


def _recorded(file: Path, traces: Callable[[Keep], Iterator[Trace]]) -> Iterator[Trace]:
    """Pass traces on; each has been in the file since its episode ended."""
    with _appending(file) as keep:
        yield from traces(keep)


@contextmanager
def _appending(file: Path) -> Generator[Keep]:
    """Open a file to append traces to; one that is new and stays empty is removed."""
    new = not file.exists()

    def keep(trace: Trace) -> None:
        out.write(trace.to_json() + "\n")
        out.flush()

    try:
        with file.open("x" if new else "a", encoding="utf-8", newline="\n") as out:
            yield keep
    finally:
        if new and not file.stat().st_size:
            file.unlink()


def _refuse_twins(wanted: Sequence[Scenario]) -> None:
    counts = Counter(scenario.episode_id for scenario in wanted)
    twins = [id for id, count in counts.items() if count > 1]
    if twins:
        raise InvalidArgument(
            f"scenarios hold episode {twins[0]!r} more than once: ids are unique within a file, "
            "so give each its own seed or member"
        )


def _resumed(file: Path, task: Task, agent: Agent, wanted: Sequence[Scenario]) -> set[str]:
    """Return the ids of a file's finished episodes, after taking out what is to be played again."""
    read = read_lines(file)
    torn = read.whole < file.stat().st_size
    if len(read.problems) > torn:
        raise InvalidArgument(f"{file} cannot be resumed:\n" + "\n".join(read.problems))
    traces = [line.trace for line in read.lines]
    _refuse_others(file, task, agent, wanted, traces)
    ids = {scenario.episode_id for scenario in wanted}
    kept = [not (trace.fault and trace.id in ids) for trace in traces]
    if torn or not all(kept):
        lines = file.read_bytes()[: read.whole].split(b"\n")
        _replace(file, b"".join(line + b"\n" for line in compress(lines, kept)))
    return {trace.id for trace in compress(traces, kept)}


def _refuse_others(
    file: Path, task: Task, agent: Agent, wanted: Sequence[Scenario], traces: Sequence[Trace]
) -> None:
    """Raise if a file holds an episode of another configuration."""
    expected = {scenario.episode_id: scenario for scenario in wanted}
    known = wanted or [task.scenario(0)]
    setup = task.begin(known[0]).room.setup
    weights = {term.name: term.weight for term in task.reward.terms}
    knobs = [_knobs(scenario) for scenario in known]
    for trace in traces:
        same = (
            (trace.agent, trace.setup, dict(trace.weights)) == (agent.name, setup, weights)
            and expected.get(trace.id, trace.scenario) == trace.scenario
            and _knobs(trace.scenario) in knobs
        )
        if not same:
            raise InvalidArgument(
                f"{file} holds {trace.id} of another configuration: resume with the one it was "
                "begun with, or give another name"
            )


def _knobs(scenario: Scenario) -> tuple[Any, ...]:
    """Return what one file has in common, of a scenario."""
    return (scenario.difficulty, scenario.protocol, scenario.max_turns, scenario.max_chars)


def _replace(file: Path, content: bytes) -> None:
    """Replace a file's content at once: whoever is killed meanwhile leaves the old or the new."""
    target = file.resolve()  # a link stays one
    beside = target.with_name(f"{target.name}.new")
    with beside.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    shutil.copymode(target, beside)
    os.replace(beside, target)
