"""Three ways to answer the requests of a step: one at a time, with asyncio, and many at once.

The step is the same generator in all of them, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TypeVar

from empathy_env.backends import Backend, Reply, Request
from empathy_env.errors import Fault, InvalidArgument

T = TypeVar("T")
Steps = Generator[Request, Reply, T]


def run(steps: Steps[T], backend: Backend | None = None) -> T:
    """Answer one step's requests as they come.

    Raises:
        Fault: What the backend failed with.
    """
    try:
        request = next(steps)
        while True:
            (reply,) = _needed(backend, request).complete([request])
            request = steps.throw(reply) if isinstance(reply, Fault) else steps.send(reply)
    except StopIteration as stop:
        return stop.value


async def run_async(steps: Steps[T], backend: Backend | None = None) -> T:
    """Answer one step's requests with asyncio.

    Raises:
        Fault: What the backend failed with.
    """
    try:
        request = next(steps)
        while True:
            answer = await _answer(_needed(backend, request), request)
            request = steps.throw(answer) if isinstance(answer, Fault) else steps.send(answer)
    except StopIteration as stop:
        return stop.value


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
    waiting: list[tuple[int, Request]] = []
    for index, step in enumerate(steps):
        _advance(index, step, None, results, waiting)
    while waiting:
        batch, waiting = waiting, []
        replies = _needed(backend, batch[0][1]).complete([request for _, request in batch])
        for (index, _), reply in zip(batch, replies, strict=True):
            _advance(index, steps[index], reply, results, waiting)
    return [result for result in results if result is not None]


def _advance(
    index: int,
    step: Steps[T],
    reply: Reply | Fault | None,
    results: list[T | Fault | None],
    waiting: list[tuple[int, Request]],
) -> None:
    """Take one step to its next request, its result or its fault."""
    try:
        if reply is None:
            waiting.append((index, next(step)))
        elif isinstance(reply, Fault):
            waiting.append((index, step.throw(reply)))
        else:
            waiting.append((index, step.send(reply)))
    except StopIteration as stop:
        results[index] = stop.value
    except Fault as fault:
        results[index] = fault


def _needed(backend: Backend | None, request: Request) -> Backend:
    if backend is None:
        raise InvalidArgument(
            f"the {request.purpose} step asks a model, but user='code' has none: "
            "give a backend as user="
        )
    return backend
