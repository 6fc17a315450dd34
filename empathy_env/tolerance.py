"""How many faults a run takes before it is stopped, and what to do about them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from empathy_env.errors import (
    BadStatus,
    CutOff,
    EmptyReply,
    Fault,
    InvalidArgument,
    OverBudget,
    Refused,
    RequestRejected,
    TimedOut,
    TooManyFaults,
    UnparseableReply,
    Unreachable,
)

LEAST: Final = 10


@dataclass(frozen=True, slots=True)
class FaultBudget:
    """How many episodes of a run may end in a fault.

    The run is stopped by one fault more than `share` of the finished episodes, by `in_a_row` faults
    that follow each other, and at once by `OverBudget`, which no later episode can escape.

    Attributes:
        share: Share of the finished episodes, in [0, 1]; 1 lets a run go on whatever happens.
        least: So many faults stop no run, however few episodes are finished.
        in_a_row: So many without one good episode between them mean that the server is gone.

    Raises:
        InvalidArgument: If a number is out of its range.
    """

    share: float = 0.1
    least: int = LEAST
    in_a_row: int = 25

    def __post_init__(self) -> None:
        if not 0.0 <= self.share <= 1.0:
            raise InvalidArgument(f"share={self.share} is outside [0, 1]. 0.1 is every tenth.")
        if self.least < 0:
            raise InvalidArgument(f"least={self.least} is below 0. Give 0 to stop at any fault.")
        if self.in_a_row < 1:
            raise InvalidArgument(f"in_a_row={self.in_a_row} is below 1, for example 25.")


class Tally:
    """The faults of a run so far.

    Attributes:
        finished: Episodes that ended, in a fault or not.
        kinds: How often each kind of fault ended one.
    """

    def __init__(self, budget: FaultBudget):
        self.budget = budget
        self.finished = 0
        self.kinds: Counter[str] = Counter()
        self._latest: dict[str, Fault] = {}
        self._row = 0

    def add(self, fault: Fault | None) -> None:
        """Count an episode that has ended.

        Raises:
            TooManyFaults: If the run is to be stopped; the message says what to do.
        """
        self.finished += 1
        if fault is None:
            self._row = 0
            return
        self._row += 1
        kind = kind_of(fault)
        self.kinds[kind] += 1
        self._latest[kind] = fault
        if reason := self._reason(fault):
            raise TooManyFaults(self._message(reason)) from fault

    def _reason(self, fault: Fault) -> str:
        """Return why the run is stopped, or ""."""
        budget, faults = self.budget, self.kinds.total()
        if isinstance(fault, OverBudget):
            return "what may be spent is spent"
        if budget.share == 1.0:
            return ""
        if faults > max(budget.least, budget.share * self.finished):
            return f"share={budget.share:g} and least={budget.least} allow no more"
        if self._row >= budget.in_a_row:
            return f"the last {self._row} followed each other"
        return ""

    def _message(self, reason: str) -> str:
        lines = [
            f"stopped: {self.kinds.total()} of {self.finished} episodes ended in a fault; {reason}."
        ]
        lines += [
            f"  {count} times {kind}, the latest: {self._latest[kind]}"
            for kind, count in self.kinds.most_common()
        ]
        commonest = next((k for k in self.kinds if k == OverBudget.__name__), "")
        commonest = commonest or self.kinds.most_common(1)[0][0]
        lines.append(
            f"{advice(self._latest[commonest])} Then resume (--resume): what was finished is kept."
        )
        return "\n".join(lines)


def kind_of(fault: Fault) -> str:
    """Return what a fault is counted under: its type, and the status of an HTTP error.

    >>> kind_of(BadStatus("slow down", status=429))
    'BadStatus 429'
    """
    status = fault.status if isinstance(fault, BadStatus) else 0
    return f"{type(fault).__name__} {status}" if status else type(fault).__name__


_BY_STATUS: Final = {
    401: "Set the environment variable that holds the server's key.",
    403: "Set the environment variable that holds the server's key, and check what it allows.",
    404: "Check the server's URL, which mostly ends in /v1, and the model's name.",
    429: "Lower the concurrency, or allow more retries.",
}
_BY_TYPE: Final[dict[type[Fault], str]] = {
    RequestRejected: "Check that the model's context holds a whole talk, or give fewer turns.",
    BadStatus: "Look into the server's log, and lower the concurrency if it is overloaded.",
    Unreachable: "Check that the server runs, and its URL.",
    TimedOut: "Lower the concurrency, or allow more seconds (--timeout).",
    Refused: "Take a model for the user that plays difficult people.",
    CutOff: "Allow longer replies (max_tokens).",
    EmptyReply: "Take a larger model, or check its chat template.",
    UnparseableReply: "Take a larger model, or a server that holds it to a JSON schema.",
    OverBudget: "Raise the limit (--max-requests, --max-tokens or --max-dollars).",
}


def advice(fault: Fault) -> str:
    """Return what to do about a fault.

    >>> advice(Unreachable("127.0.0.1:8000 refused the connection"))
    'Check that the server runs, and its URL.'
    """
    if isinstance(fault, BadStatus) and fault.status in _BY_STATUS:
        return _BY_STATUS[fault.status]
    for kind, words in _BY_TYPE.items():
        if isinstance(fault, kind):
            return words
    return "Look at the messages above."
