"""The models of a run, each in its wrappers, as the options of the command line ask for them."""

from __future__ import annotations

import re
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

from empathy_env.backends import (
    AsyncBackend,
    Backend,
    Reply,
    Request,
    budgeted,
    cached,
    openai,
    recording,
    replay,
    retrying,
    routed,
)
from empathy_env.episode import Task
from empathy_env.errors import InvalidArgument

_SERVER: Final = re.compile(r"openai:(?P<model>.+)@(?P<url>https?://.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wraps:
    """What goes around a model.

    Attributes:
        attempts: How often a request is sent at most, at least 1.
        cache: File that keeps replies.
        tape: File that records all answers.
    """

    attempts: int = 4
    cache: Path | None = None
    tape: Path | None = None


class Limits(NamedTuple):
    """What may be spent; None is no limit."""

    requests: int | None = None
    tokens: int | None = None
    dollars: float | None = None


class Models(NamedTuple):
    """Who answers for the user and for the agent; None: no model."""

    user: Backend | None
    agent: Backend | None


def opened(spec: str, timeout_seconds: float) -> Backend | str:
    """Return a server with this time limit; any other name is returned as it is."""
    server = _SERVER.fullmatch(spec)
    if server is None:
        return spec
    return openai(server["model"], base_url=server["url"], timeout_seconds=timeout_seconds)


def wrapped(models: Models, wraps: Wraps, limits: Limits) -> Models:
    """Return both models in their wrappers, with one budget for both together."""
    user, agent = within(models, limits)
    tape = agents_tape(wraps.tape) if wraps.tape else None
    return Models(
        stacked(user, wraps) if user else None,
        stacked(agent, replace(wraps, tape=tape)) if agent else None,
    )


def within(models: Models, limits: Limits) -> Models:
    """Return the models with one budget for both together."""
    user, agent = models
    if limits == Limits() or (user or agent) is None:
        return models
    both = routed(default=user, act=agent) if agent else user
    assert both is not None
    budget = budgeted(both, **limits._asdict())
    return Models(
        Renamed(budget, user.name) if user else None, Renamed(budget, agent.name) if agent else None
    )


def stacked(backend: Backend, wraps: Wraps) -> Backend:
    """Return a backend in its wrappers: recording(cached(retrying(backend))).

    From the inside out: a budget, if there is one, is part of `backend`, so that each attempt
    counts and what the cache holds is free. Retrying is inside the cache, which keeps what came of
    the last attempt. The tape is outermost: it holds one answer for each request of an episode,
    wherever it came from, so that the whole run can be played from it.
    """
    if wraps.attempts > 1:
        backend = retrying(backend, attempts=wraps.attempts)
    if wraps.cache is not None:
        backend = cached(backend, wraps.cache)
    if wraps.tape is not None:
        backend = recording(backend, wraps.tape)
    return backend


def agents_tape(tape: Path) -> Path:
    """Return where the agent's model is recorded, beside the tape of the user's.

    >>> agents_tape(Path("run.tape")).name
    'run.agent.tape'
    """
    return tape.with_name(f"{tape.stem}.agent{tape.suffix}")


def replayed(models: Models, tape: Path) -> Models:
    """Return the same models, answering from their tapes."""
    if (models.user or models.agent) is None:
        raise InvalidArgument(
            f"--replay={tape} has nobody to answer for: give --user and --agent as they were "
            "when it was recorded"
        )
    return Models(
        replay(tape) if models.user else None, replay(agents_tape(tape)) if models.agent else None
    )


def asking(task: Task, backend: Backend | None) -> Task:
    """Return a task whose user asks another backend."""
    other = copy(task)
    other.backend = backend
    return other


class Renamed(AsyncBackend):
    """A backend under the name of one of its parts, by which traces and caches know it."""

    def __init__(self, inner: Backend, name: str):
        self._inner = inner
        self.name = name

    async def complete_async(self, request: Request) -> Reply:
        """Answer one request."""
        return await self._inner.complete_async(request)

    async def aclose(self) -> None:
        """Let go of what belongs to the running event loop."""
        await self._inner.aclose()
