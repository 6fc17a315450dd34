"""A chat completion as a server answers it: what it means, and what it cost."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, cast

from empathy_env.backends.address import without_keys
from empathy_env.backends.base import Reply
from empathy_env.backends.sampling import encoded
from empathy_env.errors import (
    BadStatus,
    CutOff,
    EmptyReply,
    Fault,
    InvalidArgument,
    LimitReached,
    Malformed,
    Refused,
    RequestRejected,
)


class Prices(NamedTuple):
    """Dollars per million tokens."""

    prompt: float
    completion: float
    cached: float | None = None
    """Of prompt tokens that the server had in its prefix cache; None: as all others."""

    def cost(self, prompt: float, cached: float, completion: float) -> float:
        """Return the dollars for so many tokens; `cached` are among those of the prompt."""
        cached_price = self.prompt if self.cached is None else self.cached
        fresh = max(0.0, prompt - cached)
        return (fresh * self.prompt + cached * cached_price + completion * self.completion) / 1e6


def checked_prices(prices: Iterable[float] | None) -> Prices | None:
    """Return the prices by name, if there are two or three of at least 0."""
    if prices is None:
        return None
    given = tuple(prices)
    if len(given) not in (2, 3) or not all(0 <= price < math.inf for price in given):
        raise InvalidArgument(
            f"prices={given} are not two or three numbers of at least 0. Give dollars per million "
            "tokens: (prompt, completion), or (prompt, completion, cached)."
        )
    return Prices(*given)


def read_completion(content: bytes, prices: Prices | None = None) -> Reply:
    """Return the reply that a server's answer holds, whole or as server-sent events.

    Only the message's content counts; what a model reasoned in other fields is left out.

    Raises:
        Fault: What is wrong with the answer.
    """
    return reply_of(_assembled(content) if _is_stream(content) else parsed(content), prices)


def reply_of(body: Any, prices: Prices | None = None) -> Reply:
    """Return the reply that a completion's JSON holds.

    Raises:
        Fault: What is wrong with it. Its `meter` says what it cost, where that is known.
    """
    meter = usage(body, prices)
    try:
        return Reply(_text(body), meter)
    except Fault as fault:
        note_meter(fault, meter)
        raise


def note_meter(fault: Fault, meter: Mapping[str, float]) -> None:
    """Add to a fault what it cost, so that budgets can count it."""
    fault.meter = {**meter, **fault.meter}


def _text(body: Any) -> str:
    choice = at(body, "choices", 0)
    message = at(choice, "message")
    if not isinstance(message, dict):
        if error := at(body, "error"):
            raise error_fault(_status(error), error, "the server answered with an error")
        raise Malformed(f"the server's answer is no chat completion: {shown(body)}")
    text = _joined(at(message, "content"))
    finish = at(choice, "finish_reason")
    refusal = at(message, "refusal") or at(message, "provider_specific_fields", "refusal")
    if refusal or finish == "content_filter":
        raise Refused(f"the model declined to answer: {shown(refusal or text)}")
    if finish == "length":
        raise LimitReached(
            f"the reply reached the limit of tokens after {len(text)} characters. Give a larger "
            "max_tokens=, or a model that writes less (reasoning counts as well).",
            text=text,
        )
    if finish in ("abort", "error"):
        raise CutOff(f"the server broke the reply off (finish_reason {finish!r})")
    if not text.strip():
        raise EmptyReply(f"the model answered without a word (finish_reason {finish!r})")
    return text


def _joined(content: Any) -> str:
    """Return the text of a message: a str, nothing, or a list of parts as some servers send it."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise Malformed(f"the message's content is no text: {shown(content)}")
    parts = cast("list[Any]", content)
    texts = [at(part, "text") for part in parts if at(part, "type") == "text"]
    return "".join(text for text in texts if isinstance(text, str))


def usage(body: Any, prices: Prices | None) -> dict[str, float]:
    """Return the meter of what a completion took, as far as the server says it."""
    tokens = at(body, "usage")
    counts = {
        "prompt_tokens": at(tokens, "prompt_tokens"),
        "cached_tokens": _first(
            at(tokens, "prompt_tokens_details", "cached_tokens"),  # OpenAI, vLLM, SGLang, llama.cpp
            at(tokens, "prompt_cache_hit_tokens"),  # DeepSeek
            at(body, "timings", "cache_n"),  # llama.cpp of 2025
        ),
        "completion_tokens": at(tokens, "completion_tokens"),
    }
    meter = {name: float(count) for name, count in counts.items() if _is_count(count)}
    if prices and "prompt_tokens" in meter and "completion_tokens" in meter:
        cached = meter.get("cached_tokens", 0.0)
        meter["cost"] = prices.cost(meter["prompt_tokens"], cached, meter["completion_tokens"])
    return meter


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _is_count(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value < math.inf


def parsed(content: bytes) -> Any:
    """Return the JSON of an answer.

    Raises:
        CutOff: If it ends in the middle.
        Malformed: If it is something else.
    """
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        if error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated"):
            raise CutOff(f"the server's answer ends in the middle: {shown(content)}") from error
        raise Malformed(f"the server's answer is no JSON: {shown(content)}") from error
    except (ValueError, RecursionError) as error:
        raise Malformed(f"the server's answer is no JSON: {shown(content)}") from error


def _is_stream(content: bytes) -> bool:
    return content.lstrip().startswith((b"data:", b":", b"event:", b"id:", b"retry:"))


def _assembled(content: bytes) -> dict[str, Any]:
    """Return the completion that a stream of server-sent events makes up.

    Raises:
        CutOff: If the stream ends before it says so.
    """
    body: dict[str, Any] = {}
    message: dict[str, Any] = {"content": ""}
    finish: Any = None
    for line in content.splitlines():
        if not line.startswith(b"data:"):
            continue
        piece = line.removeprefix(b"data:").strip()
        if piece == b"[DONE]":
            finish = finish or "stop"
            break
        event = parsed(piece)
        if at(event, "error"):
            return event
        delta = at(event, "choices", 0, "delta")
        message["content"] += _joined(at(delta, "content"))
        message["refusal"] = at(delta, "refusal") or message.get("refusal")
        finish = at(event, "choices", 0, "finish_reason") or finish
        body |= {key: event[key] for key in ("usage", "timings") if at(event, key)}
    if finish is None:
        raise CutOff(f"the stream broke off after {len(message['content'])} characters")
    return body | {"choices": [{"message": message, "finish_reason": finish}]}


def error_fault(
    status: int, error: Any, answered: str, headers: Mapping[str, str] | None = None
) -> BadStatus | Refused:
    """Return the fault for an error of a server.

    Args:
        status: The HTTP status.
        error: The answer's JSON or text.
        answered: Who answered what, the start of the message.
        headers: Of the answer.
    """
    text = at(error, "message") or at(error, "detail") or error
    if at(error, "code") == "content_filter":
        return Refused(f"a filter before the model declined: {shown(text)}")
    kind = RequestRejected if status in (400, 413, 422) else BadStatus
    message = f"{answered}: {shown(text)}" if text else answered
    return kind(message, status=status, retry_after=retry_after(headers or {}))


def error_of(content: bytes) -> Any:
    """Return what an answer with an error status says about it."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return content.decode("utf-8", "replace")
    return at(body, "error") or body


def _status(error: Any) -> int:
    code = at(error, "code")
    return code if isinstance(code, int) else 0


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds after which a server wants to be asked again, or None.

    >>> retry_after({"Retry-After": "1.5"}), retry_after({"retry-after-ms": "20"})
    (1.5, 0.02)
    """
    named = {name.lower(): value for name, value in headers.items()}
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        seconds = _number(named.get(name, ""))
        if seconds is not None:
            return seconds * unit
    until = _moment(named.get("retry-after", ""))
    # Measured by the server's own clock where it gives one: ours may be off.
    return (
        None if until is None else max(0.0, until - (_moment(named.get("date", "")) or time.time()))
    )


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < math.inf else None


def _moment(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def at(value: Any, *path: str | int) -> Any:
    """Return what stands at this place of a JSON value, or None.

    >>> at({"choices": [{"text": "hi"}]}, "choices", 0, "text"), at([], 0), at("ab", 0)
    ('hi', None, None)
    """
    for step in path:
        if not isinstance(value, dict | list):
            return None
        try:
            value = value[step]  # pyright: ignore[reportUnknownVariableType, reportArgumentType, reportCallIssue]
        except (KeyError, IndexError, TypeError):
            return None
    return value  # pyright: ignore[reportUnknownVariableType]


def shown(value: object, most: int = 300) -> str:
    """Return the start of something foreign, fit to stand in a message."""
    if isinstance(value, bytes):
        value = value[: 4 * most].decode("utf-8", "replace")
    text = value if isinstance(value, str) else encoded(value)
    printable = "".join(c if c.isprintable() else " " for c in text[: 4 * most])
    line = " ".join(without_keys(printable).split())
    return line if len(line) <= most else line[:most] + " ..."
