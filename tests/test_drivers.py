"""The three drivers: same generator, same result; a fault ends its own step only."""

from __future__ import annotations

import asyncio

import pytest

from empathy_env.asking import together
from empathy_env.backends import Request, ScriptedBackend
from empathy_env.drivers import run, run_async, run_many
from empathy_env.errors import BackendFault, InvalidArgument


def ask(*purposes):
    """A step that asks for each purpose in turn and returns the replies."""
    replies = []
    for purpose in purposes:
        reply = yield Request(purpose, ())
        replies.append(reply.text)
    return replies


def upper(request):
    if request.purpose == "fail":
        raise BackendFault("no answer")
    return request.purpose.upper()


BACKEND = ScriptedBackend(upper)


def test_each_driver_answers_every_request_in_order():
    expected = ["A", "B", "C"]
    assert run(ask("a", "b", "c"), BACKEND) == expected
    assert asyncio.run(run_async(ask("a", "b", "c"), BACKEND)) == expected
    assert run_many([ask("a", "b", "c")], BACKEND) == [expected]


def test_steps_without_requests_need_no_backend():
    assert run(ask()) == []
    assert asyncio.run(run_async(ask())) == []
    assert run_many([ask(), ask()]) == [[], []]


def test_a_request_without_a_backend_says_what_to_give():
    with pytest.raises(InvalidArgument, match="give a backend as user="):
        run(ask("speak"))


def test_many_batch_each_round_and_keep_their_order():
    seen = []

    class Counting(ScriptedBackend):
        def complete(self, requests):
            seen.append([request.purpose for request in requests])
            return super().complete(requests)

    results = run_many([ask("a", "b"), ask(), ask("c")], Counting(upper))
    assert results == [["A", "B"], [], ["C"]]
    assert seen == [["a", "c"], ["b"]]


def test_a_fault_ends_its_own_step_only():
    results = run_many([ask("a", "fail", "b"), ask("c", "d")], BACKEND)
    assert isinstance(results[0], BackendFault)
    assert results[1] == ["C", "D"]
    with pytest.raises(BackendFault):
        run(ask("fail"), BACKEND)
    with pytest.raises(BackendFault):
        asyncio.run(run_async(ask("fail"), BACKEND))


def test_a_step_may_catch_a_fault_and_go_on():
    def stubborn():
        try:
            yield Request("fail", ())
        except BackendFault:
            reply = yield Request("again", ())
            return reply.text

    assert run(stubborn(), BACKEND) == "AGAIN"
    assert asyncio.run(run_async(stubborn(), BACKEND)) == "AGAIN"
    assert run_many([stubborn()], BACKEND) == ["AGAIN"]


def ask_together(*each):
    """A step that asks for several things at once."""
    return together([ask(*purposes) for purposes in each])


class Counting(ScriptedBackend):
    """Keeps what it was asked in each batch."""

    def __init__(self):
        super().__init__(upper)
        self.seen = []

    def complete(self, requests):
        self.seen.append([request.purpose for request in requests])
        return super().complete(requests)


def test_each_driver_answers_what_is_asked_at_once_in_its_order():
    expected = [["A", "B"], [], ["C"]]
    backend = Counting()
    assert run(ask_together("ab", "", "c"), backend) == expected
    assert backend.seen == [["a", "c"], ["b"]]
    assert asyncio.run(run_async(ask_together("ab", "", "c"), BACKEND)) == expected
    assert run_many([ask_together("ab", "", "c")], BACKEND) == [expected]


def test_with_asyncio_it_is_in_flight_together():
    waiting = []

    class Meeting(ScriptedBackend):
        """Answers nobody before three have asked."""

        async def complete_async(self, request):
            waiting.append(request.purpose)
            while len(waiting) < 3:
                await asyncio.sleep(0)
            return await super().complete_async(request)

    steps = run_async(ask_together("a", "b", "c"), Meeting(upper))
    assert asyncio.run(asyncio.wait_for(steps, 10)) == [["A"], ["B"], ["C"]]


def test_many_batch_those_of_steps_of_both_kinds():
    backend = Counting()
    steps = [ask("a", "b"), ask_together("cd", "e"), ask(), ask_together("f", "g")]
    assert run_many(steps, backend) == [["A", "B"], [["C", "D"], ["E"]], [], [["F"], ["G"]]]
    assert backend.seen == [["a", "c", "e", "f", "g"], ["b", "d"]]


@pytest.mark.parametrize("place", range(3))
def test_a_fault_in_one_of_several_ends_its_own_step_only(place):
    asks = [["a"], ["b"], ["c"]]
    asks[place] = ["fail"]
    results = run_many([ask_together(*asks), ask("d"), ask_together("e")], BACKEND)
    assert isinstance(results[0], BackendFault)
    assert results[1:] == [["D"], [["E"]]]
    with pytest.raises(BackendFault):
        run(ask_together(*asks), BACKEND)
    with pytest.raises(BackendFault):
        asyncio.run(run_async(ask_together(*asks), BACKEND))


def test_several_requests_without_a_backend_say_what_to_give():
    with pytest.raises(InvalidArgument, match="the speak step asks a model"):
        run(ask_together(["speak"], ["appraise"]))
