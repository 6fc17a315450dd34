"""The JSON object in a model's reply: forgiving about what stands around it, strict about itself.

Models wrap an answer in thoughts, fences and polite sentences; these are passed over. Within the
object nothing is guessed, and no value is ever picked out of prose. A reply that leaves a choice
between objects is refused: what the agent wrote may stand in it, quoted before or after the
answer, so neither the first nor the last object could be trusted to be the model's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from json import JSONDecoder
from math import isfinite
from typing import Any, Final, NoReturn, TypeVar, cast

from empathy_env.errors import UnparseableReply

T = TypeVar("T", bound=str)
Fields = Mapping[str, Any]

SHOWN: Final = 200
"""So many characters of a reply are shown in an error."""

_OPENS: Final = re.compile(r'\{\s*["}]')
_TAG: Final = re.compile(r"<(/?)(?:think(?:ing)?|thought)>", re.IGNORECASE)
"""A tag of thoughts; the group is not empty if it closes one."""


def without_thought(text: str) -> str:
    """Return a reply without the model's thoughts; one that does not end reaches to the end.

    They stand between tags: `<think>`, `<thinking>` or `<thought>`. The opening tag may be lacking
    before the first one, where the chat template has written it. Tags after the beginning of a JSON
    object are left as they are, and so is a thought within the reply that holds an object: the
    agent's words, quoted, may have such tags, and must not be able to take an answer away.

    >>> without_thought("<think>Kind of them.</think>It is late.")
    'It is late.'
    """
    kept, thinks, at = "", False, 0
    for tag in _TAG.finditer(text):
        piece = text[at : tag.start()]
        if _OPENS.search(piece) and (kept.strip() or not thinks):
            return kept + text[at:]
        if not thinks:
            kept = "" if tag[1] else kept + piece
        thinks, at = not tag[1], tag.end()
    return kept if thinks else kept + text[at:]


def parsed(text: str, *, what: str) -> dict[str, Any]:
    r"""Return the one JSON object in a model's reply, in time linear in the reply's length.

    Args:
        text: What the model answered; thoughts are left out, prose and fences passed over.
        what: What was asked for, as the error calls it, such as "the appraisal".

    Raises:
        UnparseableReply: If there is no object, or there are different ones, or one breaks off,
            repeats a key, or holds what JSON does not know, such as NaN, or a tag of thoughts
            leaves open whether an object is a part of one.

    >>> parsed('<think>{hm}</think>Here you are:\n```json\n{"mood": 3}\n```', what="the answer")
    {'mood': 3}
    """
    answer = without_thought(text)
    found, at = list[dict[str, Any]](), 0
    while match := _OPENS.search(answer, at):
        try:
            value, at = _DECODER.raw_decode(answer, match.start())
        except RecursionError:
            raise _refused(what, "is nested too deeply", text) from None
        except ValueError as error:
            raise _refused(what, f"is no JSON that can be read ({error})", text) from None
        if value not in found[:1]:
            found.append(value)
    if len(found) > 1:
        raise _refused(what, "holds several different JSON objects", text)
    if not found:
        raise _refused(what, "holds no JSON object outside of thoughts", text)
    if _TAG.search(answer, at):
        raise _refused(what, "has an object in what may be a thought", text)
    return found[0]


def text(fields: Fields, name: str) -> str:
    """Return the string of this name.

    Raises:
        UnparseableReply: If it is missing or no string.
    """
    value = fields.get(name)
    return value if isinstance(value, str) else _wrong(fields, name, "a string")


def number(fields: Fields, name: str, *, low: float, high: float) -> float:
    """Return the number of this name, from `low` to `high`; a number in quotes is none.

    Raises:
        UnparseableReply: If it is missing, no number or out of range.
    """
    value = fields.get(name)
    # To Python, True is a number as well.
    if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
        return float(value)
    return _wrong(fields, name, f"a number from {low:g} to {high:g}")


def choice(fields: Fields, name: str, allowed: Sequence[T]) -> T:
    """Return the string of this name, one of those allowed.

    Raises:
        UnparseableReply: If it is missing or another.
    """
    value = fields.get(name)
    if value in allowed:
        return cast("T", value)
    return _wrong(fields, name, f"one of {', '.join(allowed)}")


def entries(fields: Fields, name: str) -> list[Fields]:
    """Return the list of objects of this name.

    Raises:
        UnparseableReply: If it is missing, no list, or not all of it are objects.
    """
    value = fields.get(name)
    if isinstance(value, list):
        listed = cast("list[object]", value)
        if all(isinstance(one, dict) for one in listed):
            return cast("list[Fields]", listed)
    return _wrong(fields, name, "a list of objects")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a key stands twice")
    return fields


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not isfinite(value):
        raise ValueError("a number is too large")
    return value


_DECODER: Final = JSONDecoder(
    object_pairs_hook=_once, parse_constant=_constant, parse_float=_finite
)


def _refused(what: str, reason: str, text: str) -> UnparseableReply:
    return UnparseableReply(
        f"{what}: the reply {reason}. One JSON object was asked for: a server that takes thoughts "
        f"out and holds its model to the schema gives one. The reply begins {text[:SHOWN]!r}"
    )


def _wrong(fields: Fields, name: str, wanted: str) -> NoReturn:
    value = fields.get(name, "missing")
    plain = value is None or isinstance(value, str | int | float)
    given = repr(value)[:SHOWN] if plain else f"of type {type(value).__name__}"
    raise UnparseableReply(f"the reply's {name!r} is {given}: it must be {wanted}")
