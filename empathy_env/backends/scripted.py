"""A backend whose replies are your function."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from empathy_env.backends.base import Reply, Request
from empathy_env.errors import Fault


class ScriptedBackend:
    """Answers each request with `function(request)`.

    The function may raise a `Fault` to play a failure. It should depend on its request only:
    then episodes are reproducible whatever order they are answered in.

    >>> backend = ScriptedBackend(lambda request: f"({request.purpose})")
    >>> backend.complete([Request("speak", ())])
    [Reply(text='(speak)', meter={})]
    """

    def __init__(self, function: Callable[[Request], str], *, name: str = "scripted"):
        self._function = function
        self.name = name

    def complete(self, requests: Sequence[Request]) -> list[Reply | Fault]:
        """Answer the requests in order."""
        return [self._answer(request) for request in requests]

    async def complete_async(self, request: Request) -> Reply:
        """Answer one request."""
        return Reply(self._function(request))

    async def aclose(self) -> None:
        """Do nothing: there is nothing to let go of."""

    def _answer(self, request: Request) -> Reply | Fault:
        try:
            return Reply(self._function(request))
        except Fault as fault:
            return fault
