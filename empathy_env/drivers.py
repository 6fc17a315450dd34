"""Three ways to answer the requests of a step: one at a time, with asyncio, and many at once.

The step is the same generator in all of them, so they cannot disagree.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from itertools import islice
from typing import Any, TypeVar

from empathy_env.backends import Backend, Reply, Request
from empathy_env.errors import Fault, InvalidArgument

T = TypeVar("T")
Asked = Request | tuple[Request, ...]
"""What a step asks: one thing, or several at once."""
Answered = Reply | Fault | tuple[Reply | Fault, ...]
Steps = Generator[Asked, Any, T]
"""A step: for one request it is sent a reply, or a fault is thrown in; for several the tuple of
what came of each."""


def run(steps: Steps[T], backend: Backend | None = None) -> T:
    """Answer one step's requests as they come.

    Raises:
        Fault: What the backend failed with.
    """
    try:
        asked = next(steps)
        while True:
            replies = _needed(backend, asked).complete([*_each(asked)])
            asked = _given(steps, _as_asked(asked, replies))
    except StopIteration as stop:
        return stop.value


async def run_async(steps: Steps[T], backend: Backend | None = None) -> T:
    """Answer one step's requests with asyncio; several at once are in flight together.

    Raises:
        Fault: What the backend failed with.
    """
    try:
        asked = next(steps)
        while True:
            replies = await _answers(_needed(backend, asked), _each(asked))
            asked = _given(steps, _as_asked(asked, replies))
    except StopIteration as stop:
        return stop.value


async def _answers(backend: Backend, requests: Sequence[Request]) -> list[Reply | Fault]:
    if len(requests) == 1:
        return [await _answer(backend, requests[0])]
    tasks = [asyncio.ensure_future(_answer(backend, request)) for request in requests]
    try:
        return await asyncio.gather(*tasks)
    finally:  # what is no fault stops all of them: nothing stays under way
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _answer(backend: Backend, request: Request) -> Reply | Fault:
    try:
        return await backend.complete_async(request)
    except Fault as fault:
        return fault


def run_many(steps: Sequence[Steps[T]], backend: Backend | None = None) -> list[T | Fault]:
    """Answer the requests of many steps, each round's requests in one batch.

    Returns:
        For each step its result, or the fault that ended it; one's fault leaves the others be.
    """
    results: list[T | Fault | None] = [None] * len(steps)
    waiting: list[tuple[int, Asked]] = []
    for index, step in enumerate(steps):
        _advance(index, step, None, results, waiting)
    while waiting:
        batch, waiting = waiting, []
        requests = [request for _, asked in batch for request in _each(asked)]
        replies = iter(_needed(backend, batch[0][1]).complete(requests))
        for index, asked in batch:
            given = _as_asked(asked, [*islice(replies, len(_each(asked)))])
            _advance(index, steps[index], given, results, waiting)
    return [result for result in results if result is not None]


def _advance(
    index: int,
    step: Steps[T],
    answered: Answered | None,
    results: list[T | Fault | None],
    waiting: list[tuple[int, Asked]],
) -> None:
    """Take one step to its next request, its result or its fault."""
    try:
        asked = next(step) if answered is None else _given(step, answered)
        waiting.append((index, asked))
    except StopIteration as stop:
        results[index] = stop.value
    except Fault as fault:
        results[index] = fault


def _each(asked: Asked) -> tuple[Request, ...]:
    return (asked,) if isinstance(asked, Request) else asked


def _as_asked(asked: Asked, replies: Sequence[Reply | Fault]) -> Answered:
    """Return the replies as they were asked for: one, or the tuple."""
    return replies[0] if isinstance(asked, Request) else tuple(replies)


def _given(steps: Steps[T], answered: Answered) -> Asked:
    """Hand a step what came of what it asked."""
    return steps.throw(answered) if isinstance(answered, Fault) else steps.send(answered)


def _needed(backend: Backend | None, asked: Asked) -> Backend:
    if backend is None:
        raise InvalidArgument(
            f"the {_each(asked)[0].purpose} step asks a model, but user='code' has none: "
            "give a backend as user="
        )
    return backend
