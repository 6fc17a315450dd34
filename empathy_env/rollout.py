"""Play whole episodes with an agent, one or many, and resume what was interrupted."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from operator import length_hint
from pathlib import Path
from typing import Any

from empathy_env.agents import Agent
from empathy_env.drivers import run_many
from empathy_env.episode import Episode, Task
from empathy_env.errors import Fault, InvalidArgument
from empathy_env.scenario import Scenario
from empathy_env.trace import Trace, read_lines


def play(task: Task, agent: Agent, scenario: Scenario) -> Trace:
    """Play one episode to its end and return its trace.

    Raises:
        Fault: If machinery failed.
    """
    (trace,) = rollouts(task, agent, [scenario])
    return trace


def rollouts(
    task: Task, agent: Agent, scenarios: Iterable[Scenario], *, concurrency: int = 1
) -> Iterator[Trace]:
    """Play episodes and yield each trace when it is finished.

    Up to `concurrency` talks run at once and share each round's batch of model requests. The
    records do not depend on it; the order in which they come does. After a fault no new talk is
    begun; those under way are played to their end and yielded, then the fault is raised.

    Raises:
        InvalidArgument: If `concurrency` is below 1 (at once), or the agent answers no str.
        Fault: If machinery failed; a note says how many episodes were left unplayed.
    """
    if concurrency < 1:
        raise InvalidArgument(f"Cannot have concurrency={concurrency} < 1")
    return _rollouts(task, agent, iter(scenarios), concurrency)


def _rollouts(
    task: Task, agent: Agent, left: Iterator[Scenario], concurrency: int
) -> Iterator[Trace]:
    live: list[Episode] = []
    faults: list[Fault] = []
    while True:
        if not faults:
            live += [task.open(scenario=one) for one in islice(left, concurrency - len(live))]
        if not live:
            break
        steps = [episode.steps(agent.act(episode.talk)) for episode in live]
        for episode, result in zip(live, run_many(steps, task.backend), strict=True):
            episode.accept(result)
        for episode in live:
            if episode.fault is not None:
                faults.append(episode.fault)
            elif episode.done:
                yield replace(episode.trace, agent=agent.name)
        live = [episode for episode in live if not episode.done]
    if faults:
        faults[0].add_note(_unplayed(len(faults), left))
        raise faults[0]


def _unplayed(faulted: int, left: Iterator[Scenario]) -> str:
    """Say how many episodes a fault has cost; of a generator the rest cannot be counted."""
    rest = length_hint(left, -1)
    count = f"at least {faulted}" if rest < 0 else str(faulted + rest)
    return f"episodes left unplayed: {count}"


def record(
    path: str | os.PathLike[str],
    task: Task,
    agent: Agent,
    scenarios: Iterable[Scenario],
    *,
    concurrency: int = 1,
    resume: bool = False,
) -> Iterator[Trace]:
    """Play episodes, append each to a file as soon as it is finished, and yield it.

    Killed at any moment, this loses at most the unfinished episodes. With `resume`, episodes that
    the file holds are skipped and a torn last line is cut off first.

    Raises:
        InvalidArgument: At once, if two scenarios have one episode id, if `concurrency` is below
            1, or if the file exists and `resume` is False, or holds a broken line, or an episode
            of another configuration, wanted now or not.
        Fault: See `rollouts`; what was finished is in the file.
    """
    file = Path(path)
    wanted = list(scenarios)
    _refuse_twins(wanted)
    if file.exists() and not resume:
        raise InvalidArgument(
            f"{file} exists: give resume (--resume) to go on with it, or another name"
        )
    done = _done(file, task, agent, wanted) if file.exists() else set[str]()
    left = [scenario for scenario in wanted if scenario.episode_id not in done]
    return _written(file, rollouts(task, agent, left, concurrency=concurrency))


def _written(file: Path, traces: Iterator[Trace]) -> Iterator[Trace]:
    """Pass traces on as they come, once they are in the file."""
    empty = not file.exists()
    out = file.open("x" if empty else "a", encoding="utf-8", newline="\n")
    try:
        with out:
            for trace in traces:
                out.write(trace.to_json() + "\n")
                out.flush()
                empty = False
                yield trace
    finally:
        if empty:
            file.unlink()


def _refuse_twins(wanted: Sequence[Scenario]) -> None:
    counts = Counter(scenario.episode_id for scenario in wanted)
    twins = [id for id, count in counts.items() if count > 1]
    if twins:
        raise InvalidArgument(
            f"scenarios hold episode {twins[0]!r} more than once: ids are unique within a file, "
            "so give each its own seed or member"
        )


def _done(file: Path, task: Task, agent: Agent, wanted: Sequence[Scenario]) -> set[str]:
    """Return ids of the finished episodes of a file, after cutting off its torn end."""
    read = read_lines(file)
    torn = read.whole < file.stat().st_size
    if len(read.problems) > torn:
        raise InvalidArgument(f"{file} cannot be resumed:\n" + "\n".join(read.problems))
    expected = {scenario.episode_id: scenario for scenario in wanted}
    known = wanted or [task.scenario(0)]
    setup = task.begin(known[0]).room.setup
    weights = {term.name: term.weight for term in task.reward.terms}
    knobs = [_knobs(scenario) for scenario in known]
    for trace in (line.trace for line in read.lines):
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
    if torn:
        os.truncate(file, read.whole)
    return {line.trace.id for line in read.lines}


def _knobs(scenario: Scenario) -> tuple[Any, ...]:
    """Return what one file has in common, of a scenario."""
    return (scenario.difficulty, scenario.protocol, scenario.max_turns, scenario.max_chars)
