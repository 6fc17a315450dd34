"""A base for backends that are written with asyncio, and for those that wrap another one.

`AsyncBackend` leaves one method to write, `complete_async`. Callers that are not asynchronous use
`complete`, which asks all at once on one event loop in a thread of its own, so that connections
stay open from call to call and it works from inside a running loop, a notebook's among them.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeVar
from weakref import ref

from empathy_env.backends.base import Backend, Reply, Request
from empathy_env.errors import Fault, InvalidArgument

T = TypeVar("T")

CLOSING_SECONDS: Final = 5.0
"""How long the backends may take to close when the interpreter exits."""
_log: Final = logging.getLogger(__name__)


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
        if loop.is_here():
            raise InvalidArgument(
                f"complete of {self.name!r} was called from within complete_async and would wait "
                "for itself: await complete_async there"
            )
        loop.keep(self)
        return loop.wait(answers(self, requests))

    async def aclose(self) -> None:  # noqa: B027 - most have nothing to let go of
        """Let go of what belongs to the running event loop; the backend can be used again."""


async def answers(backend: Backend, requests: Sequence[Request]) -> list[Reply | Fault]:
    """Ask all at once; one's fault leaves the others be, any other error stops them."""
    tasks = [asyncio.ensure_future(_answer(backend, request)) for request in requests]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _answer(backend: Backend, request: Request) -> Reply | Fault:
    try:
        return await backend.complete_async(request)
    except Fault as fault:
        return fault


class _Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.process = os.getpid()
        # By id: two backends can be equal, and a dataclass that can be compared has no hash.
        self._kept: dict[int, ref[AsyncBackend]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="empathy-env-backends", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def is_here(self) -> bool:
        """Whether the caller runs on this loop, and so cannot wait for it."""
        return threading.current_thread() is self._thread

    def keep(self, backend: AsyncBackend) -> None:
        """Remember whom to close at last, as long as anybody else has it."""
        key = id(backend)
        self._kept[key] = ref(backend, lambda gone: self._kept.pop(key, None))

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
        kept = [backend for each in list(self._kept.values()) if (backend := each())]
        self.wait(_closed(kept))
        self.wait(_settled())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _closed(backends: Sequence[AsyncBackend]) -> None:
    """Close all; one that fails or does not end keeps neither the others nor the exit."""
    closing = {asyncio.ensure_future(backend.aclose()): backend.name for backend in backends}
    if closing:
        await asyncio.wait(closing, timeout=CLOSING_SECONDS)
    for task, name in closing.items():
        if not task.done():
            task.cancel()
            _log.warning("%r could not be closed: not done after %g s", name, CLOSING_SECONDS)
        elif not task.cancelled() and (error := task.exception()):
            # The type alone: what a library puts into a message may hold a secret.
            _log.warning("%r could not be closed: %s", name, type(error).__name__)


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
