"""The seam: a request, a reply, and the protocol of what answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any, Protocol, runtime_checkable

from empathy_env.errors import Fault
from empathy_env.messages import Message


class Schema(dict[str, Any]):
    """A JSON Schema that many requests share, and that is therefore written out once only."""

    @cached_property
    def text(self) -> str:
        """What it looks like; it must not be changed any more."""
        return repr(dict(self))


@dataclass(frozen=True, slots=True)
class Request:
    """What the kernel asks of a model.

    Attributes:
        purpose: What for: "appraise", "speak", or a name of your own; recorded.
        messages: The chat to answer.
        schema: JSON Schema that the reply's text should follow, or None for free text.
        seed: For backends that take one, in [0, 2**31). The kernel sets it, keyed by the episode's
            seed, the turn and which request of the turn this is.
        origin: Which episode, turn and request of the turn; set by the kernel. Not sent, and
            without influence on the reply: it tells equal requests of several episodes apart.
    """

    purpose: str
    messages: tuple[Message, ...]
    schema: Mapping[str, Any] | None = None
    seed: int = 0
    origin: str = ""

    @property
    def digest(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of all that may decide the reply."""
        schema = self.schema.text if isinstance(self.schema, Schema) else repr(self.schema)
        # Lengths keep parts apart whatever they hold; `repr` of the whole took ten times as long.
        parts = [self.purpose, schema, str(self.seed)]
        parts += [part for said in self.messages for part in (said["role"], said["content"])]
        whole = "\0".join([*(str(len(part)) for part in parts), *parts])
        return sha256(whole.encode("utf-8", "backslashreplace")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered.

    Attributes:
        text: The reply; recorded, and covered by the trace's digest.
        meter: What it cost, covered by no digest; all values add up over replies. Keys in use:
            `requests` (sent to a server), `retries`, `cache_hits`, `seconds`, `prompt_tokens`,
            `cached_tokens` (of these, read from the server's prefix cache), `completion_tokens`,
            `cost` (US dollars), and one of `as_schema`, `as_json`, `as_text`: how far the
            server was held to the form that was asked for.
    """

    text: str
    meter: Mapping[str, float] = field(default_factory=dict[str, float])


@runtime_checkable
class Backend(Protocol):
    """Anything that answers requests. `AsyncBackend` leaves one method to write."""

    @property
    def name(self) -> str:
        """All that decides the replies, in words; recorded in traces. It must hold no secret."""
        ...

    def complete(self, requests: Sequence[Request]) -> Sequence[Reply | Fault]:
        """Answer several requests at once, in their order; a failed one gets its `Fault`."""
        ...

    async def complete_async(self, request: Request) -> Reply:
        """Answer one request, or raise a `Fault`."""
        ...

    async def aclose(self) -> None:
        """Let go of what belongs to the running event loop; the backend can be used again."""
        ...
