"""What has to hold of a backend: that it answers, and what it does when it cannot.

A check sends a few dozen short requests, so it costs little with a paid model, and needs none with
a backend of your own functions.
"""

from __future__ import annotations

import asyncio
import copy
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from empathy_env.backends import Backend, Reply, Request
from empathy_env.checks.report import Law, Report, check_laws
from empathy_env.errors import CheckFailed, Fault, InvalidArgument, UnparseableReply
from empathy_env.messages import from_system, from_user
from empathy_env.structured import parsed

EXAMPLES: Final = 3
"""Different requests that are sent."""

Answer = Reply | Fault


@dataclass(frozen=True)
class _Case:
    """A backend under test, with what it first answered."""

    backend: Backend
    examples: int

    @cached_property
    def requests(self) -> tuple[Request, ...]:
        """Different requests: of several purposes, the second with a form."""
        return tuple(_request(number) for number in range(max(2, self.examples)))

    @cached_property
    def alone(self) -> tuple[Answer, ...]:
        """The answer to each request by itself."""
        return tuple(_completed(self.backend, [request])[0] for request in self.requests)

    @cached_property
    def again(self) -> tuple[Answer, ...]:
        """The answers to the same requests, once more."""
        return tuple(_completed(self.backend, [request])[0] for request in self.requests)

    @property
    def unstable(self) -> str:
        """Why answers cannot be compared; "" if they can."""
        if _texts(self.alone) == _texts(self.again):
            return ""
        return "one request, sent twice with one seed, was answered differently"


_PURPOSES: Final = ("speak", "appraise", "reply")
_FORM: Final = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
    "additionalProperties": False,
}


def _request(number: int) -> Request:
    asks = f"Say the number {number} in words."
    form = _FORM if number % 3 == 1 else None
    if form is not None:
        asks += ' Answer as JSON: {"answer": "..."}'
    messages = (from_system("You answer in a few words."), from_user(asks))
    purpose = _PURPOSES[number % len(_PURPOSES)]
    return Request(purpose, messages, form, seed=1000 + number, origin=f"check/{number}")


def check_backend(
    backend: Backend, *, laws: Iterable[str] | None = None, examples: int = EXAMPLES
) -> Report:
    """Check a backend's laws one after another.

    Args:
        backend: Any backend.
        laws: Names of those to check, of `LAWS`; all of them by default.
        examples: Different requests to send, at least 2; each is sent about five times.

    Returns:
        The laws that hold. A model that answers the same request differently breaks none: what
        cannot be compared then is among the notes.

    Raises:
        CheckFailed: At the first law that is broken.
        UnknownName: If there is no such law.
        InvalidArgument: If it is no backend.

    >>> from empathy_env.backends import ScriptedBackend
    >>> check_backend(ScriptedBackend(lambda request: "Three."), laws=["answers"]).laws
    ('answers',)
    """
    if not isinstance(backend, Backend):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidArgument(
            f"backend={backend!r} is no backend: it needs name, complete, complete_async and aclose"
        )
    case = _Case(backend, examples)
    return check_laws(case, f"backend {backend.name!r}", LAWS, laws)


def _completed(backend: Backend, requests: Sequence[Request]) -> list[Answer]:
    """Return the answers to a batch.

    Raises:
        CheckFailed: If it raises, or answers something else.
    """
    try:
        answers = list(backend.complete(requests))
    except Exception as error:
        message = f"complete() raised {type(error).__name__}: {error}"
        hint = "Return a Fault in the place of each request that failed; the others keep theirs."
        raise CheckFailed(message, law="answers", hint=hint) from error
    if len(answers) != len(requests):
        message = f"complete() gave {len(answers)} answers to {len(requests)} requests"
        raise CheckFailed(message, law="answers", hint="Return one for each, in their order.")
    for answer in answers:
        _check_answer(answer)
    return answers


def _check_answer(answer: object) -> None:
    if isinstance(answer, Fault) or (isinstance(answer, Reply) and isinstance(answer.text, str)):  # pyright: ignore[reportUnnecessaryIsInstance]
        return
    shown = f"{type(answer).__name__} {answer!r}"[:80]
    if isinstance(answer, Reply):
        shown = f"a Reply with {type(answer.text).__name__}"
    raise CheckFailed(
        f"an answer is {shown}, and neither a Reply with text nor a Fault",
        law="answers",
        hint="Return Reply(text), or a Fault such as TimedOut(message).",
    )


def _texts(answers: Iterable[Answer]) -> list[str]:
    return [
        answer.text if isinstance(answer, Reply) else f"({type(answer).__name__})"
        for answer in answers
    ]


def _named(case: _Case) -> str:
    name = case.backend.name
    if not isinstance(name, str) or not name.strip():  # pyright: ignore[reportUnnecessaryIsInstance]
        hint = "Traces record it: say what decides the replies, such as 'openai:my-model'."
        raise CheckFailed(f"its name is {name!r}", law="named", hint=hint)
    if name != case.backend.name:
        raise CheckFailed("its name changes from one look to the next", law="named")
    return ""


def _keeps_secrets(case: _Case) -> str:
    for what, text in (("name", case.backend.name), ("repr", repr(case.backend))):
        for secret, kind in _secrets():
            if secret in text:
                raise _told(what, kind)
        if found := _SECRET.search(text):
            raise _told(what, f"what looks like a key, {found[0][:6]}...")
    return ""


def _told(what: str, kind: str) -> CheckFailed:
    hint = "Read secrets where the request is sent; traces and logs record name and repr."
    return CheckFailed(f"its {what} holds {kind}", law="keeps-secrets", hint=hint)


_SECRET: Final = re.compile(r"\bsk-[\w-]{16,}|\bhf_\w{16,}|Bearer \S{8,}|://[^\s/@:]+:[^\s/@]+@")
_OF_SECRETS: Final = re.compile("KEY|TOKEN|SECRET|PASSWORD")


def _secrets() -> list[tuple[str, str]]:
    """Return what the environment holds under names of secrets, each with its name."""
    return [
        (value, f"the value of {name}")
        for name, value in os.environ.items()
        if _OF_SECRETS.search(name.upper()) and len(value) >= _SHORTEST
    ]


_SHORTEST: Final = 8
"""Shorter values are taken for no secrets: they are found anywhere."""


def _answers(case: _Case) -> str:
    if all(isinstance(answer, Fault) for answer in case.alone):
        kinds = ", ".join(sorted({f"{type(a).__name__}: {a}" for a in case.alone}))
        return f"every request met a fault ({kinds})"
    return ""


def _leaves_requests(case: _Case) -> str:
    before = copy.deepcopy(case.requests)
    _completed(case.backend, case.requests)
    if before != case.requests:
        hint = "Copy what you change: a request is recorded, and may be sent again."
        raise CheckFailed(
            "it changed a request that it was given", law="leaves-requests", hint=hint
        )
    return ""


def _repeatable(case: _Case) -> str:
    return case.unstable and f"{case.unstable}: such talks can be played again from a tape only"


def _batches(case: _Case) -> str:
    if case.unstable:
        return f"{case.unstable}, so batches cannot be compared"
    _completed(case.backend, [])
    for order in (case.requests, case.requests[::-1]):
        texts = _texts(_completed(case.backend, order))
        batch = {request.origin: text for request, text in zip(order, texts, strict=True)}
        for request, alone in zip(case.requests, _texts(case.alone), strict=True):
            among = batch[request.origin]
            if among != alone:
                message = f"a request is answered {alone[:60]!r} alone, {among[:60]!r} among others"
                hint = "Keep the order of the requests, and no memory between them."
                raise CheckFailed(message, law="batches", hint=hint)
    return ""


def _asynchronous(case: _Case) -> str:
    later = [_awaited(case.backend, request) for request in case.requests]
    for answer in later:
        _check_answer(answer)
    if case.unstable:
        return f"{case.unstable}, so the two ways of asking cannot be compared"
    for alone, awaited in zip(_texts(case.alone), _texts(later), strict=True):
        if alone != awaited:
            message = f"complete() answers {alone[:60]!r}, complete_async() {awaited[:60]!r}"
            raise CheckFailed(message, law="async")
    return ""


def _awaited(backend: Backend, request: Request) -> Answer:
    async def ask() -> Answer:
        try:
            return await backend.complete_async(request)
        except Fault as fault:
            return fault
        finally:
            await backend.aclose()

    try:
        # In a thread of its own: a notebook has a loop that runs already.
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(asyncio.run, ask()).result()
    except Exception as error:
        message = f"complete_async() raised {type(error).__name__}: {error}"
        hint = "Raise a Fault where a request fails; it holds no secret and has a type."
        raise CheckFailed(message, law="async", hint=hint) from error
    return answer


def _closes(case: _Case) -> str:
    async def close_twice() -> None:
        await case.backend.aclose()
        await case.backend.aclose()

    before = case.alone[0]
    try:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, close_twice()).result()
    except Exception as error:
        message = f"aclose() raised {type(error).__name__}: {error}"
        hint = "It lets go of what belongs to the running loop, and may be called again."
        raise CheckFailed(message, law="closes", hint=hint) from error
    (after,) = _completed(case.backend, case.requests[:1])
    if isinstance(after, Fault) and isinstance(before, Reply):
        message = f"after aclose() it answers {type(after).__name__}: {after}"
        raise CheckFailed(message, law="closes", hint="It can be used again after it was closed.")
    return ""


def _meter(case: _Case) -> str:
    for answer in case.alone:
        if not isinstance(answer.meter, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            message = f"its meter is {answer.meter!r}, which is no mapping"
            raise CheckFailed(message, law="meter", hint="Leave it out if it knows no cost.")
        for name, value in answer.meter.items():
            number = isinstance(value, (int, float))  # pyright: ignore[reportUnnecessaryIsInstance]
            if not number or not math.isfinite(value) or value < 0:
                message = f"its meter says {name}={value!r}"
                hint = "All values add up over replies: finite numbers, 0 or more; or leave it out."
                raise CheckFailed(message, law="meter", hint=hint)
    return ""


def _form(case: _Case) -> str:
    for request, answer in zip(case.requests, case.alone, strict=True):
        if request.schema is None or isinstance(answer, Fault):
            continue
        try:
            found = parsed(answer.text, what="the answer")
        except UnparseableReply as fault:
            return f"a reply has not the form that was asked for ({fault}); it costs a second one"
        if not isinstance(found.get("answer"), str):
            return f"a reply lacks the field that was asked for: {answer.text[:60]!r}"
    return ""


LAWS: Final[tuple[Law[_Case], ...]] = (
    Law("named", "It has a name that says what decides its replies.", _named),
    Law("keeps-secrets", "Neither its name nor its repr holds a key.", _keeps_secrets),
    Law("answers", "Each request gets a Reply with text or a Fault; it raises nothing.", _answers),
    Law("leaves-requests", "It does not change the requests.", _leaves_requests),
    Law("meter", "What it says of cost are finite numbers from 0 up.", _meter),
    Law("form", "A reply has the form that was asked for.", _form),
    Law("repeatable", "One request with one seed has one answer.", _repeatable),
    Law("batches", "A request is answered among others as alone, in any order.", _batches),
    Law("async", "Both ways of asking give the same; failures are Faults.", _asynchronous),
    Law("closes", "It can be closed twice, and used again.", _closes),
)
"""The laws of a backend."""
