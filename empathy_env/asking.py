"""How a model is asked so that the agent's words can cause no fault, and a machine's failure does.

A reply that cannot be used is asked for twice more: else replies that are garbled by chance would
be held against the agent too often. If that fails too, the same is asked with the agent's words
withheld: an answer then shows that the model works and that it was these words which broke it. That
is a finding about the agent and no fault. No answer then is a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Generic, NamedTuple, TypeVar

from empathy_env.backends import Reply, Request
from empathy_env.errors import Fault

T = TypeVar("T")


class Asked(NamedTuple, Generic[T]):
    """What was read from a model's reply.

    Attributes:
        value: The value.
        notes: Sentences about what was asked again; empty if the first reply was used.
        withheld: Whether the model could answer only without the agent's words.
    """

    value: T
    notes: tuple[str, ...] = ()
    withheld: bool = False


def asked(
    request: Request,
    read: Callable[[str], T],
    *,
    withheld: Callable[[], Request] | None = None,
) -> Generator[Request, Reply, Asked[T]]:
    """Ask until a reply can be used: three times, and once with the agent's words withheld.

    The purposes end in "-again" from the second request on, and in "-withheld" at last, so that
    they are recorded apart. The kernel gives each of them a seed of its own.

    Args:
        request: What to ask.
        read: Reads the text of a reply; raises `UnparseableReply` if it has no meaning.
        withheld: Gives the same request without the agent's words, if it has any; called when it
            is needed, which is seldom.

    Raises:
        Fault: At once if it does not come from what was asked, such as a time-out; else the last.
    """
    again = _ending(request, "-again")
    notes: list[str] = []
    for attempt in (request, again, again) if withheld else (request, again):
        try:
            reply = yield attempt
            return Asked(read(reply.text), tuple(notes))
        except Fault as fault:
            if not fault.of_content:
                raise
            # The type alone: it is what a trace keeps of a fault, so a replay notes the same.
            notes.append(f"{attempt.purpose} failed with {type(fault).__name__}")
    reply = yield _ending(withheld(), "-withheld") if withheld else again
    value = read(reply.text)
    if withheld:
        notes.append(f"{request.purpose} succeeded only without the agent's words")
    return Asked(value, tuple(notes), withheld=withheld is not None)


def _ending(request: Request, ending: str) -> Request:
    return replace(request, purpose=request.purpose + ending)


def together(
    steps: Sequence[Generator[Request, Reply, T]],
) -> Generator[tuple[Request, ...], Sequence[Reply | Fault], list[T]]:
    """Run steps side by side: what they ask at the same time is asked at once.

    A generator: yields tuples of requests, and is sent what came of each, in the same order.

    Raises:
        Fault: What the first of the steps failed with, after all that was in flight has been
            handed over: what it has cost is known then.
    """
    results: dict[int, T] = {}
    faults: list[Fault] = []
    waiting: dict[int, Request] = {}

    def go(index: int, given: Reply | Fault | None) -> None:
        step = steps[index]
        try:
            if given is None:
                waiting[index] = next(step)
            elif isinstance(given, Fault):
                waiting[index] = step.throw(given)
            else:
                waiting[index] = step.send(given)
        except StopIteration as stop:
            results[index] = stop.value

    for index in range(len(steps)):
        go(index, None)
    while waiting:
        asked = dict(waiting)
        waiting.clear()
        replies = yield tuple(asked.values())
        for index, reply in zip(asked, replies, strict=True):
            try:
                go(index, reply)
            except Fault as fault:
                faults.append(fault)
        if faults:
            raise faults[0]
    return [results[index] for index in range(len(steps))]
