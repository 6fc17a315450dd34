"""A limit on what may be spent."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import NamedTuple

from empathy_env.backends.asynchronous import AsyncBackend
from empathy_env.backends.base import Backend, Reply, Request
from empathy_env.errors import Fault, InvalidArgument, OverBudget


class Spent(NamedTuple):
    """What was spent so far."""

    requests: int = 0
    """Sent, or under way at this moment."""
    tokens: int = 0
    """Of prompts and completions."""
    dollars: float = 0.0

    def __str__(self) -> str:
        return f"requests {self.requests:,}, tokens {self.tokens:,}, dollars {self.dollars:.2f}"


def budgeted(
    inner: Backend,
    *,
    requests: int | None = None,
    tokens: int | None = None,
    dollars: float | None = None,
) -> Budgeted:
    """Return a backend that asks `inner` until a limit is reached, and then raises `OverBudget`.

    The limit of requests is never passed: each is counted before it is sent, and stays counted if
    it fails or is cancelled. Tokens and dollars are known only afterwards, so they can be passed by
    what is in flight, one request for each that runs at once.

    It counts what goes through it: inside `retrying` every attempt, inside `cached` only what the
    cache does not hold, which is where it belongs: `cached(retrying(budgeted(...)), path)`.

    Args:
        inner: What answers.
        requests: How many requests may be sent in all.
        tokens: How many tokens prompts and completions may have in all.
        dollars: What all may cost in US dollars.

    Raises:
        InvalidArgument: If no limit is given or one is not above 0; and at the first reply that
            does not say what a limit is about, because then it could not be kept.
    """
    limits = {"requests": requests, "tokens": tokens, "dollars": dollars}
    given = {name: limit for name, limit in limits.items() if limit is not None}
    if not given:
        raise InvalidArgument("budgeted() has no limit: give requests=, tokens= or dollars=.")
    for name, limit in given.items():
        if not limit > 0:
            raise InvalidArgument(f"{name}={limit} is not above 0. Give what may be spent in all.")
    return Budgeted(inner, given)


class Budgeted(AsyncBackend):
    """A backend made by `budgeted`."""

    def __init__(self, inner: Backend, limits: Mapping[str, float]):
        self.name = inner.name
        self._inner = inner
        self._limits = limits
        self._spent = Spent()
        self._lock = threading.Lock()

    @property
    def spent(self) -> Spent:
        """What was spent so far, failures included."""
        return self._spent

    async def complete_async(self, request: Request) -> Reply:
        """Answer one request, if there is something left to spend.

        Raises:
            OverBudget: If there is not.
        """
        self._reserve()
        try:
            reply = await self._inner.complete_async(request)
        except Fault as fault:
            self._settle(_meter_of(fault))
            raise
        self._refuse_unknown(reply.meter)
        self._settle(reply.meter)
        return reply

    async def aclose(self) -> None:
        """Let go of what belongs to the running event loop."""
        await self._inner.aclose()

    def _reserve(self) -> None:
        """Count a request before it is sent."""
        with self._lock:
            for name, limit in self._limits.items():
                if getattr(self._spent, name) >= limit:
                    raise OverBudget(
                        f"{name}={limit:,} of budgeted() is spent ({self._spent}). Nothing more is "
                        f"asked. Give a larger {name}= and resume; what was finished is kept."
                    )
            self._spent = self._spent._replace(requests=self._spent.requests + 1)

    def _settle(self, meter: Mapping[str, float]) -> None:
        """Add what is known afterwards; one request was counted before."""
        free = "cache_hits" in meter and "requests" not in meter
        sent = 0 if free else int(meter.get("requests", 1))
        with self._lock:
            self._spent = Spent(
                self._spent.requests - 1 + sent,
                self._spent.tokens + int(_tokens(meter)),
                self._spent.dollars + meter.get("cost", 0.0),
            )

    def _refuse_unknown(self, meter: Mapping[str, float]) -> None:
        """Stop at the first reply if it does not say what a limit is about."""
        keys = {"tokens": "completion_tokens", "dollars": "cost"}
        for name in self._limits.keys() & keys.keys():
            if not ({keys[name], "cache_hits"} & meter.keys() or getattr(self._spent, name)):
                raise InvalidArgument(
                    f"{name}= of budgeted() cannot be kept: the replies of {self.name} do not say "
                    f"how many {name} they took. Limit requests= instead."
                )


def _tokens(meter: Mapping[str, float]) -> float:
    return meter.get("prompt_tokens", 0.0) + meter.get("completion_tokens", 0.0)


def _meter_of(fault: Fault) -> Mapping[str, float]:
    """Return what a failure cost, where it is known; what was refused inside was not sent."""
    if isinstance(fault, OverBudget):
        return {"requests": 0.0}
    return fault.meter
