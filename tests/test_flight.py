"""Many episodes on one event loop: how many at once, in what order, and how it ends."""

from __future__ import annotations

import asyncio
import gc
from contextlib import aclosing

import pytest
from parts import AskingSpeaker, echoing_backend

from empathy_env import Task, load_agent, rollouts
from empathy_env.agents import Agent
from empathy_env.backends import AsyncBackend, Reply, Request
from empathy_env.errors import BackendFault, Cancelled, EmptyReply, InvalidArgument
from empathy_env.flight import WAITING
from empathy_env.messages import from_user
from empathy_env.rollout import play, rollouts_async
from empathy_env.speaker import TemplateSpeaker

AGENT = load_agent("advisor")


class Counting(AsyncBackend):
    """Answers after other tasks had their turn, and counts."""

    name = "counting"

    def __init__(self, answer=lambda request: "Mm."):
        self.answer = answer
        self.live = self.peak = self.closed = 0
        self.requests = []

    async def complete_async(self, request):
        self.requests.append(request)
        self.live += 1
        self.peak = max(self.peak, self.live)
        try:
            for _ in range(5):
                await asyncio.sleep(0)
            return Reply(self.answer(request), {"requests": 1.0, "completion_tokens": 2.0})
        finally:
            self.live -= 1

    async def aclose(self):
        self.closed += 1


def task_of(backend):
    user = {"user": backend, "appraiser": "rules", "speaker": AskingSpeaker()}
    return Task(personas="split:dev", max_turns=2, **user)


def lazily(task, count, drawn):
    for seed in range(count):
        drawn.append(seed)
        yield task.scenario(seed)


@pytest.mark.parametrize("concurrency", [1, 7, 200])
def test_up_to_so_many_talks_wait_for_the_model_at_once(concurrency):
    backend = Counting()
    task = task_of(backend)
    traces = list(rollouts(task, AGENT, lazily(task, 60, []), concurrency=concurrency))
    assert len({trace.id for trace in traces}) == 60
    assert backend.peak == min(concurrency, 60)
    assert (backend.live, backend.closed) == (0, 1)


def test_who_takes_no_trace_stops_new_episodes():
    backend, drawn = Counting(), []
    task = task_of(backend)

    async def slow():
        traces = rollouts_async(task, AGENT, lazily(task, 500, drawn), concurrency=8)
        async with aclosing(traces):
            await anext(traces)
            before = None
            while before != len(backend.requests):  # until nothing moves any more
                before = len(backend.requests)
                for _ in range(50):
                    await asyncio.sleep(0)
            assert backend.live == 0
            standing = len(drawn)
            count = 1
            async for _ in traces:
                count += 1
        return standing, count

    assert asyncio.run(slow()) == (1 + WAITING + 8, 500)


def test_scenarios_are_drawn_when_their_episodes_begin():
    drawn = []
    task = task_of(Counting())
    traces = rollouts(task, AGENT, lazily(task, 500, drawn), concurrency=4)
    next(traces)
    assert len(drawn) <= 12
    traces.close()


def test_leaving_early_stops_what_is_under_way():
    backend = Counting()
    task = task_of(backend)

    async def leaving():
        traces = rollouts_async(task, AGENT, lazily(task, 500, []), concurrency=8)
        async with aclosing(traces):
            await anext(traces)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(leaving())
    assert (backend.live, backend.closed) == (0, 1)
    traces = rollouts(task, AGENT, lazily(task, 500, []), concurrency=8)
    next(traces)
    del traces
    gc.collect()
    assert (backend.live, backend.closed) == (0, 2)


def test_a_bug_in_one_episode_stops_the_others():
    def answer(request):
        if request.origin.endswith("/2/speak/0") and "/3/" in request.origin:
            raise ZeroDivisionError("a bug")
        return "Mm."

    backend = Counting(answer)
    task = task_of(backend)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        list(rollouts(task, AGENT, lazily(task, 500, []), concurrency=8))
    assert (backend.live, backend.closed) == (0, 1)
    assert len(backend.requests) < 100


def test_a_bug_in_drawing_a_scenario_is_raised():
    task = task_of(Counting())

    def broken():
        yield from lazily(task, 5, [])
        raise KeyError("no such seed")

    with pytest.raises(KeyError, match="no such seed"):
        list(rollouts(task, AGENT, broken(), concurrency=2))


def test_a_cancelled_episode_is_no_experience():
    def answer(request):
        if "/3/" in request.origin:
            raise Cancelled("stopped")
        return "Mm."

    task = task_of(Counting(answer))
    traces = rollouts(task, AGENT, lazily(task, 6, []), concurrency=2)
    assert {trace.scenario.seed for trace in traces} == {0, 1, 2, 4, 5}


def test_no_episodes_are_no_error():
    assert list(rollouts(task_of(Counting()), AGENT, [])) == []


class TestAnAgentThatIsAModel:
    def test_it_is_sent_what_it_may_see_and_says_the_reply(self):
        backend = Counting(lambda request: f"{len(request.messages)} messages. What was it like?")
        agent, task = Agent.asking(backend), Task(personas="split:dev", max_turns=3)
        traces = list(rollouts(task, agent, lazily(task, 9, []), concurrency=9))
        assert backend.peak == 9
        for trace in traces:
            assert trace.agent == "counting"
            assert trace.setup.backend == "code"
            assert [turn.heard[0] for turn in trace.turns] == ["2", "4", "6"][: len(trace.turns)]
            assert trace.meter["agent_requests"] == len(trace.turns)
        asked = [request for request in backend.requests if "/4/0/" in request.origin]
        trace = next(trace for trace in traces if trace.scenario.seed == 4)
        assert [request.origin for request in asked] == [
            f"{trace.id}/{turn}/act/0" for turn in range(1, len(trace.turns) + 1)
        ]
        assert {request.purpose for request in asked} == {"act"}
        assert [message["role"] for message in asked[1].messages] == [
            *("system", "user", "assistant", "user")
        ]
        assert play(task, agent, task.scenario(4)) == trace

    def test_its_seeds_are_a_function_of_episode_turn_and_member(self):
        backend = Counting()
        task, agent = Task(personas="split:dev", max_turns=3), Agent.asking(backend)
        for member in (0, 1, 0):
            play(task, agent, task.scenario(4, member=member))
        seeds = [request.seed for request in backend.requests]
        first, second, again = seeds[:3], seeds[3:6], seeds[6:]
        assert first == again
        assert len({*first, *second}) == 6

    def test_agent_and_user_each_ask_their_own_and_pay_apart(self):
        mine, theirs = Counting(lambda request: "What was it like?"), Counting()
        task, agent = task_of(theirs), Agent.asking(mine)
        (trace,) = rollouts(task, agent, [task.scenario(1)])
        assert {request.purpose for request in mine.requests} == {"act"}
        assert {request.purpose for request in theirs.requests} == {"speak"}
        assert trace.meter["agent_completion_tokens"] == trace.meter["completion_tokens"] == 4.0
        assert (mine.closed, theirs.closed) == (1, 1)

    def test_a_fault_of_its_model_is_a_fault_of_the_episode(self):
        def answer(request):
            if "/2/act/" in request.origin:
                raise BackendFault("no answer")
            return "What was it like?"

        agent, task = Agent.asking(Counting(answer)), Task(personas="split:dev", max_turns=3)
        (trace,) = rollouts(task, agent, [task.scenario(1)])
        assert trace.fault == {"type": "BackendFault", "message": "no answer"}
        assert (len(trace.turns), trace.meter["agent_requests"]) == (1, 1.0)
        with pytest.raises(BackendFault):
            play(task, agent, task.scenario(1))

    def test_silence_is_something_that_it_may_say(self):
        def answer(request):
            raise EmptyReply("no word")

        agent, task = Agent.asking(Counting(answer)), Task(personas="split:dev", max_turns=2)
        (trace,) = rollouts(task, agent, [task.scenario(1)])
        assert trace.fault is None
        assert [turn.heard for turn in trace.turns] == ["", ""]

    def test_a_user_that_asks_for_acts_would_ask_the_agent_and_is_refused(self):
        class Mistaken(TemplateSpeaker):
            def speak(self, moment):
                yield Request("act", (from_user("What should I say?"),))
                return (yield from super().speak(moment))

        agent = Agent.asking(Counting())
        user = {"user": echoing_backend(), "appraiser": "rules", "speaker": Mistaken()}
        task = Task(personas="split:dev", **user)
        with pytest.raises(InvalidArgument, match="another purpose"):
            list(rollouts(task, agent, [task.scenario(1)]))
