import asyncio
import random

import pytest
from stub_server import DROP, StubServer, failing, in_turn

from empathy_env.backends import Backend, Reply, Request, ScriptedBackend
from empathy_env.backends.chat_server import openai
from empathy_env.backends.retry import retrying
from empathy_env.errors import (
    BadStatus,
    CutOff,
    EmptyReply,
    InvalidArgument,
    OverBudget,
    Refused,
    RequestRejected,
    TimedOut,
    UnparseableReply,
    Unreachable,
)
from empathy_env.messages import from_user

ASKED = Request("speak", (from_user("hello"),), origin="ada/7")


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self):
        self.now = 0.0
        self.waits = []

    async def sleep(self, seconds):
        self.waits.append(seconds)
        self.now += seconds

    def __call__(self):
        return self.now


class Failing:
    """Fails with each of these in turn, then answers."""

    name = "failing"

    def __init__(self, *faults, meter=None):
        self.left = list(faults)
        self.meter = meter or {}
        self.asked = 0
        self.closed = 0

    async def complete_async(self, request):
        self.asked += 1
        if self.left:
            raise self.left.pop(0)
        return Reply("there", self.meter)

    async def aclose(self):
        self.closed += 1


def busy(after=None, status=429):
    return BadStatus("too many requests", status=status, retry_after=after)


def asked(inner, request=ASKED, **options):
    """Ask once; return the answer or the fault, and the clock."""
    clock = Clock()
    backend = retrying(inner, sleep=clock.sleep, clock=clock, **options)
    (answer,) = backend.complete([request])
    return answer, clock


def test_it_is_a_backend_with_the_name_of_the_inner_one():
    backend = retrying(ScriptedBackend(lambda request: "", name="mine"))
    assert isinstance(backend, Backend)
    assert backend.name == "mine"


def test_a_reply_at_once_comes_as_it_is():
    reply, clock = asked(Failing(meter={"requests": 1.0, "seconds": 0.25}))
    assert reply == Reply("there", {"requests": 1.0, "seconds": 0.25})
    assert clock.waits == []


@pytest.mark.parametrize(
    "fault",
    [
        busy(),
        busy(status=503),
        TimedOut("late"),
        Unreachable("gone"),
        CutOff("cut"),
        EmptyReply(""),
    ],
    ids=repr,
)
def test_what_may_pass_is_asked_again(fault):
    reply, clock = asked(Failing(fault))
    assert reply.text == "there"
    assert reply.meter["retries"] == 1
    assert len(clock.waits) == 1


@pytest.mark.parametrize(
    "fault",
    [
        BadStatus("no such model", status=404),
        RequestRejected("too long", status=400),
        Refused("no"),
        UnparseableReply("what"),
        OverBudget("spent"),
    ],
    ids=repr,
)
def test_what_will_not_pass_is_raised_at_once_and_as_it_came(fault):
    inner = Failing(fault)
    raised, clock = asked(inner)
    assert raised is fault
    assert (inner.asked, clock.waits) == (1, [])
    assert not hasattr(fault, "__notes__")


def test_a_mistake_in_the_backend_is_no_fault_and_is_not_asked_again():
    inner = Failing(ZeroDivisionError("bug"))
    with pytest.raises(ZeroDivisionError):
        asked(inner)
    assert inner.asked == 1


def test_it_gives_up_and_notes_how_often_it_asked_and_what_else_went_wrong():
    last = TimedOut("too late")
    inner = Failing(busy(), TimedOut("late"), busy(), last, busy())
    raised, clock = asked(inner)
    assert raised is last
    assert inner.asked == 4
    (note,) = last.__notes__
    assert note == f"asked 4 times in {clock.now:.1f} seconds, before this: BadStatus, TimedOut"


def test_what_ends_the_attempts_is_noted_though_it_would_not_pass():
    last = Refused("no")
    asked(Failing(busy(), last))
    assert last.__notes__[0].startswith("asked 2 times")


def test_one_attempt_is_one_attempt():
    inner = Failing(busy())
    raised, _ = asked(inner, attempts=1)
    assert inner.asked == 1
    assert raised.__notes__ == ["asked once in 0.0 seconds"]


def test_the_waits_are_drawn_below_a_limit_that_doubles_up_to_the_longest():
    limits = [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]
    highest = [0.0] * 6
    for seed in range(200):
        request = Request("speak", (), seed=seed)
        _, clock = asked(Failing(*[busy()] * 6), request, attempts=7, longest_wait_seconds=4.0)
        assert all(0 <= wait < limit for wait, limit in zip(clock.waits, limits, strict=True))
        highest = list(map(max, highest, clock.waits))
    assert all(high > 0.9 * limit for high, limit in zip(highest, limits, strict=True))


def test_equal_requests_of_two_episodes_do_not_return_at_the_same_time():
    waits = [
        asked(Failing(busy()), Request("speak", (), origin=origin))[1].waits
        for origin in ("ada/7", "ada/8")
    ]
    assert waits[0] != waits[1]


def test_the_waits_use_and_touch_no_generator():
    random.seed(3)  # noqa: TID251 - to see that nothing here depends on it
    state = random.getstate()
    _, first = asked(Failing(busy(), busy()))
    _, second = asked(Failing(busy(), busy()))
    assert random.getstate() == state
    assert first.waits == second.waits


def test_a_server_that_says_when_is_not_asked_before():
    _, clock = asked(Failing(busy(after=20.0)))
    assert 20.0 <= clock.waits[0] < 20.5


def test_a_server_that_wants_too_long_a_pause_is_not_waited_for():
    fault = busy(after=3600.0)
    raised, clock = asked(Failing(fault))
    assert raised is fault
    assert clock.waits == []
    _, patient = asked(Failing(busy(after=3600.0)), longest_retry_after_seconds=3600.0)
    assert patient.waits[0] >= 3600.0


def test_a_pause_in_the_past_is_none():
    _, clock = asked(Failing(busy(after=-5.0)))
    assert 0 <= clock.waits[0] < 0.5


def test_the_meter_tells_all_attempts_together():
    cut = CutOff("cut")
    cut.meter = {"requests": 1.0, "seconds": 3.0, "completion_tokens": 100.0}
    inner = Failing(cut, busy(), meter={"requests": 1.0, "seconds": 2.0, "completion_tokens": 7.0})
    reply, clock = asked(inner)
    assert reply.meter == {
        "requests": 2.0,
        "retries": 2.0,
        "completion_tokens": 107.0,
        "seconds": clock.now,
    }


def test_the_last_fault_tells_what_all_attempts_cost():
    faults = [CutOff("cut"), CutOff("cut")]
    for fault in faults:
        fault.meter = {"completion_tokens": 100.0}
    asked(Failing(*faults), attempts=2)
    assert faults[1].meter["completion_tokens"] == 200.0
    assert faults[1].meter["retries"] == 1.0


def test_one_episode_that_waits_holds_nobody_up():
    async def main():
        waiting, go_on = asyncio.Event(), asyncio.Event()

        async def sleep(seconds):
            waiting.set()
            await go_on.wait()

        async def answer(request):
            if request.origin == "slow" and not waiting.is_set():
                raise busy()
            return Reply(request.origin)

        inner = Failing()
        inner.complete_async = answer
        backend = retrying(inner, sleep=sleep)
        slow = asyncio.create_task(backend.complete_async(Request("speak", (), origin="slow")))
        await waiting.wait()
        quick = await backend.complete_async(Request("speak", (), origin="quick"))
        assert not slow.done()
        go_on.set()
        return quick.text, (await slow).text

    assert asyncio.run(main()) == ("quick", "slow")


@pytest.mark.parametrize("place", ["asking", "waiting"])
def test_who_cancels_is_not_kept_waiting(place):
    async def main():
        reached = asyncio.Event()

        async def forever(*_):
            reached.set()
            await asyncio.Event().wait()

        inner = Failing(busy())
        if place == "asking":
            inner.complete_async = forever
        backend = retrying(inner, sleep=forever)
        task = asyncio.create_task(backend.complete_async(ASKED))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return inner.asked

    assert asyncio.run(main()) == (0 if place == "asking" else 1)


def test_a_server_that_fails_twice_is_asked_three_times():
    clock = Clock()
    with StubServer() as stub:
        stub.answer = in_turn(failing(429, headers={"Retry-After": "7"}), DROP, "There.")
        server = openai("model", base_url=stub.url, api_key_env=None)
        (reply,) = retrying(server, sleep=clock.sleep, clock=clock).complete([ASKED])
        calls = [call.body for call in stub.calls]
    assert reply.text == "There."
    assert reply.meter["retries"] == 2
    assert reply.meter["seconds"] == clock.now
    assert calls == [calls[0]] * 3
    assert 7.0 <= clock.waits[0] < 7.5
    assert clock.waits[1] < 1.0


def test_closing_reaches_the_inner_backend():
    inner = Failing()
    asyncio.run(retrying(inner).aclose())
    assert inner.closed == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attempts": 0}, "attempts=0 is below 1"),
        ({"first_wait_seconds": -1}, "first_wait_seconds=-1 is no length of time"),
        ({"longest_wait_seconds": float("inf")}, "longest_wait_seconds=inf"),
        ({"longest_retry_after_seconds": float("nan")}, "longest_retry_after_seconds=nan"),
    ],
)
def test_a_number_out_of_range_is_refused(options, message):
    with pytest.raises(InvalidArgument, match=message):
        retrying(Failing(), **options)
