"""The seam: a request, a reply, and the protocol of what answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from empathy_env.errors import Fault
from empathy_env.messages import Message


@dataclass(frozen=True, slots=True)
class Request:
    """What the kernel asks of a model.

    Attributes:
        purpose: What for: "appraise", "speak", or a name of your own; recorded.
        messages: The chat to answer.
        schema: JSON Schema that the reply's text should follow, or None for free text.
        seed: A keyed seed, for backends that take one.
    """

    purpose: str
    messages: tuple[Message, ...]
    schema: Mapping[str, Any] | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered.

    Attributes:
        text: The reply; recorded, and covered by the trace's digest.
        meter: Token counts, seconds, retries; recorded apart, covered by no digest.
    """

    text: str
    meter: Mapping[str, float] = field(default_factory=dict[str, float])


@runtime_checkable
class Backend(Protocol):
    """Anything that answers requests."""

    @property
    def name(self) -> str:
        """Recorded in traces; must hold no secret."""
        ...

    def complete(self, requests: Sequence[Request]) -> Sequence[Reply | Fault]:
        """Answer several requests at once, in their order; a failed one gets its `Fault`."""
        ...

    async def complete_async(self, request: Request) -> Reply:
        """Answer one request, or raise a `Fault`."""
        ...
