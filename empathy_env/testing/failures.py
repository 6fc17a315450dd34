"""Strategies for backends that fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final, NamedTuple

from hypothesis import strategies as st

from empathy_env.backends import AsyncBackend, Reply, Request
from empathy_env.errors import BadStatus, Fault, fault_named, fault_types

Answer = Callable[[Request], str]
BAD_REPLIES: Final = (
    "",
    " \n",
    "I'd rather not.",
    '{"evidence": [{"quote": "I hear',
    '{"evidence": "none"}',
    '{"emotion": 100}',
    "null",
    "\ud800",
    "<think>It never ends",
    "{" * 50,
)
"""Replies that are no answer: empty, refusing, broken off, of another form, garbled."""


class Ill(NamedTuple):
    """What goes wrong with one request.

    Attributes:
        fault: Name of the type of fault that is raised, or "".
        reply: What is replied instead of an answer, if there is no fault.
    """

    fault: str
    reply: str = ""


class Sickly(AsyncBackend):
    """Answers as it should, but for the requests that something goes wrong with.

    Which request it is goes by the turn, the purpose and the number of the request in that turn,
    so that the failures are the same whatever order the requests come in.

    Attributes:
        answer: Answers the other requests.
        ills: What goes wrong with which request of a talk, by its number from 0; one number may be
            met once in each turn.

    >>> from empathy_env import Task
    >>> Task(persona="new-mother", user=Sickly({0: Ill("TimedOut")})).open().say("Go on.")
    Traceback (most recent call last):
    empathy_env.errors.TimedOut: made to fail
    """

    def __init__(self, ills: dict[int, Ill], answer: Answer | None = None):
        self.name = f"sickly{ills!r}"
        self.ills = ills
        self.answer = plain_answer if answer is None else answer

    def __repr__(self) -> str:
        return f"Sickly({self.ills!r})"

    async def complete_async(self, request: Request) -> Reply:
        """Answer one request, or fail."""
        ill = self.ills.get(_number(request))
        if ill is None:
            return Reply(self.answer(request))
        if ill.fault:
            raise _fault(ill.fault)
        return Reply(ill.reply)


def _fault(name: str) -> Fault:
    if name in ("BadStatus", "RequestRejected"):
        return BadStatus("made to fail", status=503)
    return fault_named(name, "made to fail")


def _number(request: Request) -> int:
    """Return which request of its talk this is, as far as its origin tells; else 0."""
    turn, _, again = request.origin.rsplit("/", 2) if request.origin else ("1", "", "0")
    return int(turn.rsplit("/", 1)[-1]) - 1 + int(again)


def plain_answer(request: Request) -> str:
    """Answer as a model that plays the user: finds nothing, says little, moves no emotion.

    >>> plain_answer(Request("appraise", ()))
    '{"evidence": []}'
    """
    if request.purpose.startswith("appraise"):
        return json.dumps({"evidence": []})
    if request.schema is not None:
        return json.dumps(_filled(dict(request.schema)))
    return f"I could not say. It is number {request.seed} of the things I think about."


def _filled(schema: dict[str, object]) -> object:
    """Return something small that follows a JSON Schema."""
    kind = schema.get("type")
    choices = schema.get("enum")
    if isinstance(choices, (list, tuple)):
        return choices[0]  # pyright: ignore[reportUnknownVariableType]
    if kind == "object":
        properties = schema.get("properties")
        assert isinstance(properties, dict)
        return {name: _filled(part) for name, part in properties.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if kind == "array":
        return []
    return 0 if kind in ("integer", "number") else "So."


def backends(answer: Answer | None = None, *, most: int = 3) -> st.SearchStrategy[Sickly]:
    """Backends that fail at one or a few requests: a reply that is none, or any type of fault.

    Args:
        answer: Answers the other requests; by default as a model that plays the user.
        most: Most requests that something goes wrong with.

    >>> from hypothesis import find
    >>> find(backends(), lambda backend: True)
    Sickly({0: Ill(fault='', reply='')})
    """
    ills = st.one_of(
        st.builds(Ill, st.just(""), st.sampled_from(BAD_REPLIES)),
        st.builds(Ill, st.sampled_from(sorted(fault_types()))),
    )
    plans = st.dictionaries(st.integers(0, 9), ills, min_size=1, max_size=most)
    return plans.map(lambda plan: Sickly(plan, answer))
