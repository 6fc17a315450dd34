"""A base for backends that are written with asyncio, and for those that wrap another one.

`AsyncBackend` leaves one method to write, `complete_async`. Callers that are not asynchronous use
`complete`, which asks all at once on one event loop in a thread of its own, so that connections
stay open from call to call and it works from inside a running loop, a notebook's among them.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar
from weakref import WeakSet

from empathy_env.backends.base import Backend, Reply, Request
from empathy_env.errors import Fault

T = TypeVar("T")


class AsyncBackend(ABC):
    """A backend of which `complete_async` is all that has to be written.

    >>> class Echo(AsyncBackend):
    ...     name = "echo"
    ...
    ...     async def complete_async(self, request):
    ...         return Reply(request.messages[-1]["content"])
    >>> Echo().complete([Request("speak", ({"role": "user", "content": "hello"},))])
    [Reply(text='hello', meter={})]
    """

    name: str
    """All that decides the replies, in words; recorded in traces. It must hold no secret."""

    @abstractmethod
    async def complete_async(self, request: Request) -> Reply:
        """Answer one request, or raise a `Fault`."""

    def complete(self, requests: Sequence[Request]) -> list[Reply | Fault]:
        """Answer several requests at once, in their order; a failed one gets its `Fault`."""
        if not requests:
            return []
        loop = _loop()
        loop.backends.add(self)
        return loop.wait(answers(self, requests))

    async def aclose(self) -> None:  # noqa: B027 - most have nothing to let go of
        """Let go of what belongs to the running event loop; the backend can be used again."""


async def answers(backend: Backend, requests: Sequence[Request]) -> list[Reply | Fault]:
    """Ask all at once; one's fault leaves the others be."""
    return await asyncio.gather(*(_answer(backend, request) for request in requests))


async def _answer(backend: Backend, request: Request) -> Reply | Fault:
    try:
        return await backend.complete_async(request)
    except Fault as fault:
        return fault


class _Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.backends: WeakSet[AsyncBackend] = WeakSet()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="empathy-env-backends", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def wait(self, steps: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and wait for what it returns."""
        future = asyncio.run_coroutine_threadsafe(steps, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # interrupted: what is under way is stopped
            raise

    def close(self) -> None:
        """Let the backends close their connections, and end the thread."""
        if self.process != os.getpid():
            return  # a fork has the object and not the thread
        for backend in list(self.backends):
            self.wait(backend.aclose())
        self.wait(_settled())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _settled() -> None:
    """Wait for what a backend that is gone is still closing."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=1.0)
    for _ in range(2):  # transports close one round of the loop after they were told to
        await asyncio.sleep(0)


_current: _Loop | None = None
_lock = threading.Lock()


def _loop() -> _Loop:
    """Return this process's loop; a process that was forked off gets its own."""
    global _current
    with _lock:
        if _current is None or _current.process != os.getpid():
            _current = _Loop()
            atexit.register(_current.close)
        return _current
