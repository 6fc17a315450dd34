import asyncio

import pytest

from empathy_env.backends import Backend, Reply, Request
from empathy_env.backends.asynchronous import AsyncBackend
from empathy_env.backends.budget import Spent, budgeted
from empathy_env.backends.cache import cached
from empathy_env.backends.retry import retrying
from empathy_env.errors import CutOff, InvalidArgument, OverBudget, TimedOut

METER = {"requests": 1.0, "prompt_tokens": 90.0, "completion_tokens": 10.0, "cost": 0.25}


class Metered(AsyncBackend):
    """Answers with this meter; `fail` is raised instead by requests that say so."""

    name = "metered"

    def __init__(self, meter=METER, fault=None):
        self.meter = meter
        self.fault = fault
        self.asked = 0
        self.closed = 0
        self.gate = None

    async def complete_async(self, request):
        self.asked += 1
        if self.gate:
            await self.gate.wait()
        if self.fault and request.purpose == "fail":
            raise self.fault
        return Reply("yes", self.meter)

    async def aclose(self):
        self.closed += 1


def ask(purpose="speak", seed=0):
    return Request(purpose, (), seed=seed)


def kinds(answers):
    return [type(answer).__name__ for answer in answers]


def test_it_is_a_backend_with_the_name_of_the_inner_one():
    backend = budgeted(Metered(), requests=1)
    assert isinstance(backend, Backend)
    assert backend.name == "metered"


def test_it_says_what_was_spent():
    backend = budgeted(Metered(), dollars=10)
    assert backend.spent == Spent()
    backend.complete([ask(), ask()])
    assert backend.spent == Spent(2, 200, 0.5)
    assert str(backend.spent) == "requests 2, tokens 200, dollars 0.50"


@pytest.mark.parametrize(
    ("limit", "answered"), [({"requests": 3}, 3), ({"tokens": 250}, 3), ({"dollars": 0.75}, 3)]
)
def test_over_the_limit_nothing_is_asked_and_nothing_made_up(limit, answered):
    inner = Metered()
    backend = budgeted(inner, **limit)
    answers = [backend.complete([ask()])[0] for _ in range(5)]
    assert kinds(answers) == ["Reply"] * answered + ["OverBudget"] * (5 - answered)
    assert inner.asked == answered


def test_the_message_says_which_limit_what_was_spent_and_what_to_do():
    backend = budgeted(Metered(), requests=10, tokens=100)
    _, fault = [backend.complete([ask()])[0] for _ in range(2)]
    message = str(fault)
    assert message.startswith(
        "tokens=100 of budgeted() is spent (requests 1, tokens 100, dollars 0.25)."
    )
    assert "larger tokens=" in message
    assert not fault.transient


def test_requests_at_the_same_time_cannot_pass_the_limit_together():
    async def main():
        inner = Metered()
        inner.gate = asyncio.Event()
        backend = budgeted(inner, requests=7)
        tasks = [asyncio.create_task(backend.complete_async(ask())) for _ in range(50)]
        await asyncio.sleep(0)
        under_way = backend.spent.requests
        inner.gate.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        return under_way, inner.asked, kinds(answers).count("OverBudget")

    assert asyncio.run(main()) == (7, 7, 43)


def test_a_failure_counts_with_what_it_cost():
    cut = CutOff("cut")
    cut.meter = {"completion_tokens": 500.0, "cost": 1.0}
    backend = budgeted(Metered(fault=cut), tokens=400)
    answers = [backend.complete([ask("fail")])[0], backend.complete([ask()])[0]]
    assert kinds(answers) == ["CutOff", "OverBudget"]
    assert backend.spent == Spent(1, 500, 1.0)


def test_a_failure_that_nothing_is_known_of_is_still_a_request():
    backend = budgeted(Metered(fault=TimedOut("late")), requests=1)
    answers = [backend.complete([ask("fail")])[0], backend.complete([ask()])[0]]
    assert kinds(answers) == ["TimedOut", "OverBudget"]


def test_a_cancelled_request_is_still_a_request():
    async def main():
        inner = Metered()
        inner.gate = asyncio.Event()
        backend = budgeted(inner, requests=1)
        task = asyncio.create_task(backend.complete_async(ask()))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        with pytest.raises(OverBudget):
            await backend.complete_async(ask())

    asyncio.run(main())


def test_what_a_budget_inside_refused_was_not_sent():
    inner = budgeted(Metered(), requests=1)
    backend = budgeted(inner, requests=100)
    backend.complete([ask(), ask()])
    assert backend.spent.requests == 1


def test_every_attempt_counts():
    class Flaky(Metered):
        async def complete_async(self, request):
            self.asked += 1
            raise TimedOut("late")

    async def at_once(seconds):
        pass

    inner = Flaky()
    within = budgeted(inner, requests=3)
    (fault,) = retrying(within, attempts=10, sleep=at_once).complete([ask()])
    assert isinstance(fault, OverBudget)
    assert (inner.asked, within.spent.requests) == (3, 3)


def test_a_reply_that_took_several_requests_counts_as_several():
    backend = budgeted(Metered({"requests": 3.0}), requests=4)
    answers = [backend.complete([ask()])[0] for _ in range(3)]
    assert kinds(answers) == ["Reply", "Reply", "OverBudget"]
    assert backend.spent.requests == 6


def test_hits_of_a_cache_are_free_on_either_side(tmp_path):
    outside = budgeted(cached(Metered(), tmp_path / "a.db"), dollars=0.3)
    answers = [outside.complete([ask()])[0] for _ in range(5)]
    assert kinds(answers) == ["Reply"] * 5
    assert outside.spent == Spent(1, 100, 0.25)
    inside = budgeted(Metered(), requests=1)
    backend = cached(inside, tmp_path / "b.db")
    assert kinds(backend.complete([ask()]) + backend.complete([ask()])) == ["Reply"] * 2


@pytest.mark.parametrize("limit", ["tokens", "dollars"])
def test_a_limit_that_cannot_be_kept_stops_at_the_first_reply(limit):
    inner = Metered({"requests": 1.0})
    backend = budgeted(inner, **{limit: 1_000_000})
    with pytest.raises(InvalidArgument, match=f"{limit}= of budgeted.. cannot be kept.*metered"):
        backend.complete([ask()])
    assert inner.asked == 1


def test_a_model_that_costs_nothing_can_have_a_limit_in_dollars():
    backend = budgeted(Metered({"cost": 0.0}), dollars=1)
    assert kinds(backend.complete([ask(), ask()])) == ["Reply"] * 2


def test_one_reply_without_a_count_among_others_stops_nothing():
    inner = Metered()
    backend = budgeted(inner, tokens=1_000)
    backend.complete([ask()])
    inner.meter = {}
    assert kinds(backend.complete([ask()])) == ["Reply"]


def test_closing_reaches_the_inner_backend():
    inner = Metered()
    asyncio.run(budgeted(inner, requests=1).aclose())
    assert inner.closed == 1


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({}, "no limit"),
        ({"requests": 0}, "requests=0 is not above 0"),
        ({"tokens": -5}, "tokens=-5 is not above 0"),
        ({"dollars": float("nan")}, "dollars=nan is not above 0"),
    ],
)
def test_a_limit_that_is_none_is_refused(limits, message):
    with pytest.raises(InvalidArgument, match=message):
        budgeted(Metered(), **limits)
