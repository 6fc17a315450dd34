"""Episodes under way: one as a generator of model requests, and many on one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Final, NamedTuple

from empathy_env.agents import ACT, Agent
from empathy_env.backends import Backend
from empathy_env.backends.route import routed
from empathy_env.conversation import Conversation
from empathy_env.drivers import Steps, run_async
from empathy_env.episode import Episode, Task
from empathy_env.errors import Cancelled, Fault, InvalidArgument
from empathy_env.scenario import Scenario
from empathy_env.tolerance import Tally
from empathy_env.trace import Trace

Keep = Callable[[Trace], None]
"""Called with each trace as soon as its episode has ended, whether anybody takes it or not."""

WAITING: Final = 64
"""Finished episodes that may wait to be taken before no new one is begun."""


class Played(NamedTuple):
    """An episode that has ended, and the fault that it ended in, if any."""

    trace: Trace
    fault: Fault | None


def played(task: Task, agent: Agent, scenario: Scenario) -> Steps[Played]:
    """Play an episode to its end or to a fault; agent and user ask through the same generator."""
    episode = task.open(scenario=scenario)
    costs: dict[str, float] = {}
    while not episode.done:
        episode.accept((yield from _turn(episode, agent, costs)))
    trace = episode.trace
    meter = {**trace.meter, **costs}
    return Played(replace(trace, agent=agent.name, meter=meter), episode.fault)


def _turn(episode: Episode, agent: Agent, costs: dict[str, float]) -> Steps[Conversation | Fault]:
    """Let the agent speak and the user answer; `costs` takes up what the agent's words cost."""
    try:
        said = yield from agent.steps(episode.talk)
    except Fault as fault:
        _add(costs, fault.meter)
        fault.meter = {}  # what is left on a fault is counted as the user's
        return fault
    _add(costs, said.meter)
    try:
        talk = yield from episode.steps(said.text)
    except Fault as fault:
        return fault
    if agent.backend and any(
        call.purpose.partition("-")[0] == ACT for call in talk.turns[-1].calls
    ):
        raise InvalidArgument(
            f"the user asked with purpose={ACT!r}, which the agent's model answers: "
            "give the requests of your appraiser or speaker another purpose"
        )
    return talk


def _add(costs: dict[str, float], meter: Mapping[str, float]) -> None:
    for name, value in meter.items():
        costs[f"agent_{name}"] = costs.get(f"agent_{name}", 0.0) + value


def backend_of(task: Task, agent: Agent) -> Backend | None:
    """Return what answers the requests of `played`: the agent's backend those of the agent."""
    if agent.backend is None:
        return task.backend
    if task.backend is None:
        return routed(act=agent.backend)
    return routed(act=agent.backend, default=task.backend)


async def in_flight(
    task: Task,
    agent: Agent,
    scenarios: Iterator[Scenario],
    *,
    concurrency: int,
    tally: Tally,
    keep: Keep,
) -> AsyncGenerator[Trace]:
    """Play up to `concurrency` episodes at once and yield each trace when its episode has ended.

    A scenario is drawn when its episode begins. While nobody takes the finished ones, no more than
    `WAITING` and those under way come together.
    """
    flight = _Flight(task, agent, scenarios, tally, keep)
    crew = asyncio.create_task(flight.crew(concurrency))
    try:
        while (trace := await flight.finished.get()) is not None:
            flight.room.release()
            yield trace
        await crew  # raises what stopped it
    except _Interrupted:
        raise KeyboardInterrupt from None
    finally:
        crew.cancel()
        await asyncio.gather(crew, return_exceptions=True)
        if flight.backend is not None:
            await flight.backend.aclose()


class _Flight:
    """What the episodes of one run share."""

    def __init__(
        self, task: Task, agent: Agent, scenarios: Iterator[Scenario], tally: Tally, keep: Keep
    ):
        self.task = task
        self.agent = agent
        self.backend = backend_of(task, agent)
        self.scenarios = scenarios
        self.tally = tally
        self.keep = keep
        self.finished: asyncio.Queue[Trace | None] = asyncio.Queue()
        """Bounded by `room`; None comes last."""
        self.room = asyncio.Semaphore(WAITING)

    async def crew(self, concurrency: int) -> None:
        """Play all episodes; what stops one of the players stops all of them."""
        first = islice(self.scenarios, concurrency)
        players = [asyncio.create_task(self._play(scenario)) for scenario in first]
        try:
            await asyncio.gather(*players)
        finally:
            for player in players:
                player.cancel()
            await asyncio.gather(*players, return_exceptions=True)
            self.finished.put_nowait(None)

    async def _play(self, scenario: Scenario | None) -> None:
        """Play one episode after the other."""
        try:
            while scenario is not None:
                await self._play_one(scenario)
                scenario = next(self.scenarios, None)
        except KeyboardInterrupt as interrupt:
            # Ctrl-C may fall into any step; as it is, it would break out of the event loop.
            raise _Interrupted from interrupt

    async def _play_one(self, scenario: Scenario) -> None:
        trace, fault = await run_async(played(self.task, self.agent, scenario), self.backend)
        if isinstance(fault, Cancelled):
            return
        self.keep(trace)
        self.finished.put_nowait(trace)
        self.tally.add(fault)
        await self.room.acquire()
        await asyncio.sleep(0)  # where no request waits, it can be taken before the next


class _Interrupted(Exception):
    """Carries a `KeyboardInterrupt` from one task to another."""
