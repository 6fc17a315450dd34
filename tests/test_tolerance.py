"""How many faults a run takes, and what is said when it takes no more."""

from __future__ import annotations

import pytest

from empathy_env.errors import (
    BadStatus,
    EmptyReply,
    Fault,
    InvalidArgument,
    OverBudget,
    RequestRejected,
    TimedOut,
    TooManyFaults,
    UnparseableReply,
    Unreachable,
)
from empathy_env.tolerance import FaultBudget, Tally, advice, kind_of


def stopped_at(budget, faults):
    """Return after how many episodes a run stops, or None."""
    tally = Tally(budget)
    for number, fault in enumerate(faults, start=1):
        try:
            tally.add(Unreachable("gone") if fault else None)
        except TooManyFaults:
            return number
    return None


@pytest.mark.parametrize(
    ("budget", "faults", "end"),
    [
        (FaultBudget(), [True] * 50, 11),
        (FaultBudget(), [True, False] * 10, None),
        (FaultBudget(), [True, False] * 50, 21),
        (FaultBudget(), ([False] * 9 + [True]) * 100, None),
        (FaultBudget(), [False] * 1000 + [True] * 50, 1025),  # the server is gone
        (FaultBudget(in_a_row=200), [False] * 1000 + [True] * 150, 1112),
        (FaultBudget(least=0), [False] * 5 + [True], 6),
        (FaultBudget(0.5, 0), [False, True, True], 3),
        (FaultBudget(0.5, 0), [False, True] * 40, None),
        (FaultBudget(1.0), [True] * 200, None),
    ],
)
def test_a_run_stops_when_more_episodes_fault_than_the_budget_allows(budget, faults, end):
    assert stopped_at(budget, faults) == end


def test_a_spent_budget_stops_at_once_whatever_else_is_allowed():
    tally = Tally(FaultBudget(1.0))
    tally.add(None)
    for _ in range(3):
        tally.add(TimedOut("slow"))
    with pytest.raises(TooManyFaults, match="spent is spent") as raised:
        tally.add(OverBudget("requests=5 is spent"))
    assert "Raise the limit (--max-requests" in str(raised.value)


def test_the_message_counts_kinds_and_says_what_to_do_about_the_commonest():
    tally = Tally(FaultBudget(least=4))
    for status in (503, 429, 429):
        tally.add(BadStatus(f"answered {status}", status=status))
    tally.add(None)
    tally.add(TimedOut("no answer in 60 s"))
    last = BadStatus("answered 429 again", status=429)
    with pytest.raises(TooManyFaults) as raised:
        tally.add(last)
    assert raised.value.__cause__ is last
    assert str(raised.value).splitlines() == [
        "stopped: 5 of 6 episodes ended in a fault; share=0.1 and least=4 allow no more.",
        "  3 times BadStatus 429, the latest: answered 429 again",
        "  1 times BadStatus 503, the latest: answered 503",
        "  1 times TimedOut, the latest: no answer in 60 s",
        "Lower the concurrency, or allow more retries. Then resume (--resume): what was finished "
        "is kept.",
    ]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Unreachable("x"), "server runs"),
        (BadStatus("x", status=401), "environment variable"),
        (BadStatus("x", status=404), "URL"),
        (BadStatus("x", status=429), "concurrency"),
        (BadStatus("x", status=500), "log"),
        (RequestRejected("x", status=400), "context"),
        (UnparseableReply("x"), "larger model"),
        (EmptyReply("x"), "larger model"),
        (TimedOut("x"), "--timeout"),
        (Fault("x"), "messages above"),
    ],
)
def test_each_kind_of_fault_has_its_advice(fault, words):
    assert words in advice(fault)


def test_an_http_error_without_a_status_is_counted_under_its_type():
    assert kind_of(BadStatus("x")) == "BadStatus"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"share": 1.1}, "share=1.1"),
        ({"share": float("nan")}, "share=nan"),
        ({"least": -1}, "least=-1"),
        ({"in_a_row": 0}, "in_a_row=0"),
    ],
)
def test_a_budget_out_of_range_is_refused(fields, words):
    with pytest.raises(InvalidArgument, match=words):
        FaultBudget(**fields)
