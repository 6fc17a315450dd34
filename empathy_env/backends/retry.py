"""Ask again after a failure that may pass: a bounded number of times, with growing waits."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from empathy_env.backends.asynchronous import AsyncBackend
from empathy_env.backends.base import Backend, Reply, Request
from empathy_env.errors import BadStatus, Fault, InvalidArgument
from empathy_env.noise import draw


class Patience(NamedTuple):
    """How often to ask, and how long to wait in between; see `retrying`."""

    attempts: int = 4
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 30.0
    longest_retry_after_seconds: float = 60.0


def retrying(
    inner: Backend,
    *,
    attempts: int = 4,
    first_wait_seconds: float = 0.5,
    longest_wait_seconds: float = 30.0,
    longest_retry_after_seconds: float = 60.0,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Retrying:
    """Return a backend that asks `inner` again after a fault that is `transient`.

    The waits are drawn between 0 and a limit that doubles from failure to failure (exponential
    back-off with full jitter; M. Brooker, "Exponential Backoff And Jitter", 2015). A server that
    says when it wants to be asked again is not asked before. The last fault is raised as it came,
    with a note that says how often was asked.

    A reply that took several attempts has in its meter how many more they were (`retries`), what
    all of them cost, and as `seconds` the time from the first sending to the reply, waits included.
    The last fault has the same in its `meter`.

    Args:
        inner: What answers.
        attempts: How often a request is sent at most, at least 1.
        first_wait_seconds: Longest wait after the first failure.
        longest_wait_seconds: What the longest wait grows to.
        longest_retry_after_seconds: A server that wants a longer pause is not waited for: its
            fault is raised at once.
        sleep: Waits; for tests.
        clock: Tells seconds; for tests.

    Raises:
        InvalidArgument: If a number is out of its range.
    """
    patience = Patience(
        attempts, first_wait_seconds, longest_wait_seconds, longest_retry_after_seconds
    )
    if attempts < 1:
        raise InvalidArgument(f"attempts={attempts} is below 1. Give 1 to ask once, 4 by default.")
    for name, value in patience._asdict().items():
        if not (math.isfinite(value) and value >= 0):
            raise InvalidArgument(f"{name}={value} is no length of time: give seconds from 0 up.")
    return Retrying(inner, patience, sleep, clock)


def next_wait(patience: Patience, request: Request, fault: Fault, failures: int) -> float | None:
    """Return the seconds to wait after this failure, or None: not to be asked again.

    Args:
        patience: The limits.
        request: What was asked; with `failures` the key of the jitter, so nothing is seeded.
        fault: How it failed.
        failures: How often it has failed, this time included.
    """
    wanted = fault.retry_after if isinstance(fault, BadStatus) else None
    at_least = max(0.0, wanted or 0.0)
    hopeless = not fault.transient or failures >= patience.attempts
    if hopeless or at_least > patience.longest_retry_after_seconds:
        return None
    doubled = patience.first_wait_seconds * 2.0 ** min(failures - 1, 100)
    # The jitter comes on top of what the server wants: else all it sent away return at once.
    jitter = draw(int(request.digest, 16), failures, 0, f"retry/{request.origin}")
    return at_least + jitter * min(doubled, patience.longest_wait_seconds)


class Retrying(AsyncBackend):
    """A backend made by `retrying`."""

    def __init__(
        self,
        inner: Backend,
        patience: Patience,
        sleep: Callable[[float], Awaitable[None]],
        clock: Callable[[], float],
    ):
        self.name = inner.name
        self._inner = inner
        self._patience = patience
        self._sleep = sleep
        self._clock = clock

    async def complete_async(self, request: Request) -> Reply:
        """Answer one request, at the first attempt that succeeds."""
        start = self._clock()
        failures: list[Fault] = []
        while True:
            try:
                reply = await self._inner.complete_async(request)
            except Fault as fault:
                failures.append(fault)
                wait = next_wait(self._patience, request, fault, len(failures))
                if wait is None:
                    _give_up(failures, self._clock() - start)
                    raise
            else:
                if not failures:
                    return reply
                meters = [*_meters(failures), reply.meter]
                meter = _total(meters, len(failures), self._clock() - start)
                return replace(reply, meter=meter)
            await self._sleep(wait)

    async def aclose(self) -> None:
        """Let go of what belongs to the running event loop."""
        await self._inner.aclose()


def _total(meters: Iterable[Mapping[str, float]], retries: int, seconds: float) -> dict[str, float]:
    """Return one meter for several attempts."""
    total: dict[str, float] = {}
    for meter in meters:
        for key, value in meter.items():
            total[key] = total.get(key, 0.0) + value
    return total | {"retries": total.get("retries", 0.0) + retries, "seconds": seconds}


def _meters(failures: Sequence[Fault]) -> list[Mapping[str, float]]:
    """Return what failed attempts cost, where that is known."""
    return [failure.meter for failure in failures]


def _give_up(failures: Sequence[Fault], seconds: float) -> None:
    """Put on the last fault how often was asked, what else failed, and what it all cost."""
    *earlier, last = failures
    if earlier:
        vars(last)["meter"] = _total(_meters(failures), len(earlier), seconds)
    if earlier or last.transient:
        kinds = ", ".join(dict.fromkeys(type(fault).__name__ for fault in earlier))
        times = f"{len(failures)} times" if earlier else "once"
        before = f", before this: {kinds}" if kinds else ""
        last.add_note(f"asked {times} in {seconds:.1f} seconds{before}")
