"""Play whole episodes with an agent, one or many, and resume what was interrupted."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from empathy_env.agents import Agent
from empathy_env.drivers import run_many
from empathy_env.episode import Episode, Task
from empathy_env.errors import InvalidArgument
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
    records do not depend on it; the order in which they come does.

    Raises:
        InvalidArgument: If `concurrency` is below 1.
        Fault: If machinery failed; finished episodes have been yielded.
    """
    if concurrency < 1:
        raise InvalidArgument(f"Cannot have concurrency={concurrency} < 1")
    left = iter(scenarios)
    live: list[Episode] = []
    while True:
        live += [task.open(scenario=one) for one in islice(left, concurrency - len(live))]
        if not live:
            return
        steps = [episode.steps(agent.act(episode.talk)) for episode in live]
        for episode, result in zip(live, run_many(steps, task.backend), strict=True):
            episode.accept(result)
            if episode.fault is not None:
                raise episode.fault
        for episode in live:
            if episode.done:
                yield replace(episode.trace, agent=agent.name)
        live = [episode for episode in live if not episode.done]


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
        InvalidArgument: If the file exists and `resume` is False, or holds episodes of another
            configuration.
    """
    file = Path(path)
    wanted = list(scenarios)
    if file.exists() and not resume:
        raise InvalidArgument(
            f"{file} exists: give resume (--resume) to go on with it, or another name"
        )
    done = _done(file, task, agent, wanted) if file.exists() else set[str]()
    left = [scenario for scenario in wanted if scenario.episode_id not in done]
    with file.open("a", encoding="utf-8", newline="\n") as out:
        for trace in rollouts(task, agent, left, concurrency=concurrency):
            out.write(trace.to_json() + "\n")
            out.flush()
            yield trace


def _done(file: Path, task: Task, agent: Agent, wanted: list[Scenario]) -> set[str]:
    """Return ids of the finished episodes of a file, after cutting off its torn end."""
    read = read_lines(file)
    broken = [problem for problem in read.problems if "cut off" not in problem]
    if broken:
        raise InvalidArgument(f"{file} cannot be resumed:\n" + "\n".join(broken))
    expected = {scenario.episode_id: scenario for scenario in wanted}
    for line in read.lines:
        trace = line.trace
        same = trace.id not in expected or (
            (trace.scenario, trace.agent) == (expected[trace.id], agent.name)
            and trace.setup == task.begin(trace.scenario).room.setup
            and dict(trace.weights) == {term.name: term.weight for term in task.reward.terms}
        )
        if not same:
            raise InvalidArgument(
                f"{file} holds {trace.id} of another configuration: resume with the one it was "
                "begun with, or give another name"
            )
    with file.open("r+b") as data:
        data.truncate(read.whole)
    return {line.trace.id for line in read.lines}
