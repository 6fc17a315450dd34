"""Gather requests that are made at the same time into one call."""

from __future__ import annotations

import asyncio
import threading
from asyncio import AbstractEventLoop, Event, Future
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

from empathy_env.backends.asynchronous import AsyncBackend
from empathy_env.backends.base import Backend, Reply, Request
from empathy_env.errors import Fault, InvalidArgument

T = TypeVar("T")
R = TypeVar("R")


def batching(inner: Backend, *, size: int = 64, wait_seconds: float = 0.005) -> Batching:
    """Return a backend that asks `inner` for many replies in one call of its `complete`.

    For a backend that answers several requests together faster than one by one, such as a model in
    this process. `inner.complete` is called in a worker thread, by one thread at a time. While it
    is at work, the next requests gather.

    Args:
        inner: What answers.
        size: How many requests one call takes at most, at least 1.
        wait_seconds: How long a batch that is not full is held open for more.

    Raises:
        InvalidArgument: If a number is out of its range.
    """
    if size < 1:
        raise InvalidArgument(f"size={size} is below 1. Give the largest batch, for example 64.")
    if not wait_seconds >= 0:
        raise InvalidArgument(f"wait_seconds={wait_seconds} is below 0. Give 0 to hardly wait.")
    return Batching(inner, size, wait_seconds)


class Batching(AsyncBackend):
    """A backend made by `batching`."""

    def __init__(self, inner: Backend, size: int, wait_seconds: float):
        self.name = inner.name
        self._inner = inner
        self._one_at_a_time = threading.Lock()
        self._answer = Gathered(self._answers, size=size, wait_seconds=wait_seconds)

    async def complete_async(self, request: Request) -> Reply:
        """Answer one request, together with others."""
        answer = await self._answer(request)
        if isinstance(answer, Fault):
            raise answer
        return answer

    async def aclose(self) -> None:
        """Let go of what belongs to the running event loop."""
        await self._inner.aclose()

    def _answers(self, requests: Sequence[Request]) -> Sequence[Reply | Fault]:
        with self._one_at_a_time:
            answers = self._inner.complete(requests)
        if len(answers) != len(requests):
            raise InvalidArgument(
                f"complete of {self.name} gave {len(answers)} replies to {len(requests)} requests: "
                "it must return a Reply or a Fault for each, in their order"
            )
        return answers


class Gathered(Generic[T, R]):
    """A function of many values, to be awaited with one: what is awaited together goes together.

    The function runs in a worker thread. Each event loop gathers for itself and has one call under
    way at a time. A caller who is cancelled takes nothing from the others.

    Args:
        function: Returns for each value its result, in their order.
        size: How many values one call takes at most.
        wait_seconds: How long a call that is not full is held back for more values.
    """

    def __init__(
        self, function: Callable[[Sequence[T]], Sequence[R]], *, size: int, wait_seconds: float
    ):
        self._function = function
        self._size = size
        self._wait_seconds = wait_seconds
        self._rounds: dict[AbstractEventLoop, _Round[T, R]] = {}

    async def __call__(self, value: T) -> R:
        """Return the result for one value."""
        loop = asyncio.get_running_loop()
        begun = loop in self._rounds
        current = self._rounds.setdefault(loop, _Round())
        result: Future[R] = loop.create_future()
        current.waiting.append((value, result))
        if len(current.waiting) >= self._size:
            current.full.set()
        if not begun:
            current.server = loop.create_task(self._serve(loop, current))
            current.server.add_done_callback(lambda _: self._end(loop, current))
        return await result

    async def _serve(self, loop: AbstractEventLoop, current: _Round[T, R]) -> None:
        """Call the function until nobody waits."""
        while current.waiting:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._wait_seconds):
                    await current.full.wait()
            if current.take(self._size):
                await self._call(current.taken)
        del self._rounds[loop]

    def _end(self, loop: AbstractEventLoop, current: _Round[T, R]) -> None:
        """Let nobody wait for a server that was stopped, perhaps before its first step."""
        if self._rounds.get(loop) is current:
            del self._rounds[loop]
        for _, result in (*current.taken, *current.waiting):
            result.cancel()  # what is done stays as it is

    async def _call(self, taken: Sequence[tuple[T, Future[R]]]) -> None:
        """Call the function once, and give everyone their own result."""
        values = [value for value, _ in taken]
        call = asyncio.get_running_loop().run_in_executor(None, self._function, values)
        await asyncio.wait([call])
        failure = call.exception()
        for index, (_, result) in enumerate(taken):
            if result.cancelled():
                continue
            if failure:
                result.set_exception(failure)
            else:
                result.set_result(call.result()[index])


class _Round(Generic[T, R]):
    """Who waits on one event loop."""

    def __init__(self):
        self.waiting: list[tuple[T, Future[R]]] = []
        self.taken: list[tuple[T, Future[R]]] = []
        self.full = Event()
        self.server: asyncio.Task[None] | None = None  # held, as loops hold tasks only weakly

    def take(self, size: int) -> bool:
        """Take the oldest, leave out who was cancelled, and say whether that is anybody."""
        alive = [one for one in self.waiting if not one[1].cancelled()]
        self.taken, self.waiting = alive[:size], alive[size:]
        if len(self.waiting) < size:
            self.full.clear()
        return bool(self.taken)
