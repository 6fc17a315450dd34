"""Backends that are wrong in one way each."""

from itertools import count

from empathy_env.backends import Reply, ScriptedBackend
from empathy_env.errors import TimedOut


def words(request):
    """Answer in the form that is asked for."""
    said = f"{request.purpose} {len(request.messages[-1]['content'])}"
    return f'{{"answer": "{said}"}}' if request.schema else said


class Nameless(ScriptedBackend):
    def __init__(self):
        super().__init__(words, name=" ")


class Renamed(ScriptedBackend):
    def __init__(self):
        self._number = count()
        super().__init__(words)

    @property
    def name(self):
        return f"number {next(self._number)}"

    @name.setter
    def name(self, given):
        pass


class Telling(ScriptedBackend):
    """Shows the key that it was given."""

    def __init__(self, key, *, in_name=False):
        super().__init__(words, name=f"mine:{key}" if in_name else "mine")
        self.key = key

    def __repr__(self):
        return f"Telling(key={self.key!r})"


class Raising(ScriptedBackend):
    def complete(self, requests):
        raise KeyError("choices")


class RaisingLater(ScriptedBackend):
    async def complete_async(self, request):
        raise KeyError("choices")


class OneAnswer(ScriptedBackend):
    """Answers a batch as a whole."""

    def complete(self, requests):
        return super().complete(requests)[:1] if len(requests) > 1 else super().complete(requests)


class Bare(ScriptedBackend):
    """Returns text where a Reply belongs."""

    def complete(self, requests):
        return [words(request) for request in requests]


class Wordless(ScriptedBackend):
    def complete(self, requests):
        return [Reply(None) for _ in requests]


class Sorting(ScriptedBackend):
    """Answers in an order of its own."""

    def complete(self, requests):
        return super().complete(sorted(requests, key=lambda request: request.origin))


class Generous(ScriptedBackend):
    """Answers though nobody asked."""

    def complete(self, requests):
        return super().complete(requests) or [Reply("Hello?")]


class Scribbling(ScriptedBackend):
    """Writes its instructions into the request."""

    def complete(self, requests):
        for request in requests:
            request.messages[0]["content"] += " Be brief."
        return super().complete(requests)


class Metered(ScriptedBackend):
    def __init__(self, **meter):
        super().__init__(words)
        self.meter = meter

    def complete(self, requests):
        return [Reply(words(request), self.meter) for request in requests]


class Unmetered(ScriptedBackend):
    def complete(self, requests):
        return [Reply(words(request), None) for request in requests]


class TwoMouths(ScriptedBackend):
    """Answers otherwise when it is awaited."""

    async def complete_async(self, request):
        return Reply("Something else.")


class OnceClosed(ScriptedBackend):
    """Cannot be closed twice."""

    closed = False

    async def aclose(self):
        if self.closed:
            raise RuntimeError("closed already")
        self.closed = True


class Spent(ScriptedBackend):
    """Cannot be used again after it was closed."""

    closed = False

    def complete(self, requests):
        if self.closed:
            return [TimedOut("it was closed") for _ in requests]
        return super().complete(requests)

    async def aclose(self):
        self.closed = True
