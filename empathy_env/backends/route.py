"""Send each purpose to a backend of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from empathy_env.backends.asynchronous import AsyncBackend
from empathy_env.backends.base import Backend, Reply, Request
from empathy_env.errors import InvalidArgument


def routed(*, default: Backend | None = None, **by_purpose: Backend) -> Routed:
    """Return a backend that answers each request with the backend for its purpose.

    `routed(appraise=a, speak=b)` lets `a` find evidence and `b` find words. What is asked again
    goes where the first request went: "speak-again" is answered by `speak`, unless there is a
    backend of that very name.

    Args:
        default: What answers every other purpose.
        by_purpose: A backend for each purpose.

    Raises:
        InvalidArgument: If there is no backend at all, and when a purpose has none.
    """
    if default is None and not by_purpose:
        raise InvalidArgument("routed() has no backend: give one for a purpose, or default=.")
    return Routed(by_purpose, default)


class Routed(AsyncBackend):
    """A backend made by `routed`."""

    def __init__(self, by_purpose: Mapping[str, Backend], default: Backend | None):
        self._by_purpose = dict(by_purpose)
        self._default = default
        parts = [f"{purpose}={self._by_purpose[purpose].name}" for purpose in sorted(by_purpose)]
        parts += [f"default={default.name}"] if default is not None else []
        self.name = f"routed({', '.join(parts)})"

    async def complete_async(self, request: Request) -> Reply:
        """Answer one request with the backend for its purpose."""
        return await self._backend(request.purpose).complete_async(request)

    async def aclose(self) -> None:
        """Let go of what belongs to the running event loop."""
        backends = list(self._by_purpose.values())
        if self._default is not None:
            backends.append(self._default)
        once = {id(backend): backend for backend in backends}
        await asyncio.gather(*(backend.aclose() for backend in once.values()))

    def _backend(self, purpose: str) -> Backend:
        first, _, _ = purpose.partition("-")
        of_first = self._by_purpose.get(first, self._default)
        backend = self._by_purpose.get(purpose, of_first)
        if backend is None:
            known = ", ".join(sorted(self._by_purpose))
            raise InvalidArgument(
                f"purpose={purpose!r} has no backend. There are backends for: {known}. "
                f"Give {first}= or default= to routed()."
            )
        return backend
