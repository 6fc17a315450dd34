"""A model behind a server that speaks OpenAI's chat completions, asked over aiohttp.

    from empathy_env.backends import openai

    backend = openai("smol", base_url="http://127.0.0.1:8000/v1", temperature=0.7)

vLLM, SGLang, llama.cpp, Ollama and the hosted services speak it.
"""

from __future__ import annotations

import asyncio
import io
import math
import weakref
from collections.abc import Iterable, Mapping
from time import perf_counter
from typing import Any, Final, NamedTuple
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from empathy_env.backends.address import Address, refuse_secret_fields, refuse_secrets
from empathy_env.backends.asynchronous import AsyncBackend
from empathy_env.backends.base import Reply, Request
from empathy_env.backends.completion import (
    Prices,
    checked_prices,
    error_fault,
    error_of,
    note_meter,
    read_completion,
    shown,
)
from empathy_env.backends.sampling import (
    Form,
    Sampling,
    checked_form,
    encoded,
    freer,
    freest,
    refuses_form,
)
from empathy_env.errors import CutOff, Fault, InvalidArgument, TimedOut, Unreachable

KEPT_ALIVE_SECONDS: Final = 4.0
"""How long an idle connection is kept: less than the 5 seconds after which uvicorn, under vLLM and
SGLang, closes it; a request that crosses with the closing would be lost."""
LARGE: Final = 2**20
"""From so many bytes on aiohttp wants a request's body as a file."""
HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
    "User-Agent": "empathy-env",
}


def openai(
    model: str,
    *,
    base_url: str,
    temperature: float | None = None,
    top_p: float | None = None,
    max_tokens: int | None = 1024,
    seed: bool = True,
    timeout_seconds: float = 60.0,
    connect_seconds: float = 10.0,
    max_connections: int = 1024,
    headers: Mapping[str, str] | None = None,
    extra_body: Mapping[str, Any] | None = None,
    api_key_env: str | None = "OPENAI_API_KEY",
    name: str | None = None,
    prices: Iterable[float] | None = None,
    stream: bool = False,
    form: str = "schema",
) -> OpenAIBackend:
    """Return a backend that asks a server with OpenAI's `/chat/completions`.

    A request with a schema goes out with `response_format`. If the server answers that it does not
    know it, the request is sent again with JSON mode, and then without; what the server took is
    remembered, and the meter of each reply says `as_schema`, `as_json` or `as_text`.

    The key is read from the environment whenever a request is sent, and kept nowhere; should a
    server repeat it in an answer, `***` takes its place.

    >>> openai("smol", base_url="http://127.0.0.1:8000/v1", temperature=0.7).name
    'openai:smol@http://127.0.0.1:8000/v1 temperature=0.7'

    Args:
        model: The name by which the server knows it.
        base_url: Such as `http://127.0.0.1:8000/v1`; no login and no query.
        temperature: At least 0; None leaves it to the server.
        top_p: In (0, 1]; None leaves it to the server.
        max_tokens: Longest reply; a reply that reaches it is a `CutOff`. None leaves it to the
            server (for one that wants `max_completion_tokens`, put that into `extra_body`).
        seed: Whether to send the request's seed.
        timeout_seconds: For a whole answer, streams too; more is `TimedOut`.
        connect_seconds: For a connection, within the time for the answer.
        max_connections: How many requests are under way at once, for each event loop; the others
            wait, and their time starts afterwards.
        headers: More headers, none of them secret.
        extra_body: More fields of the request, such as `{"top_k": 40}`; they come last, and a
            value of None takes a field out.
        api_key_env: The environment variable that holds the key; None sends no key.
        name: In place of the name that is made of the model, the URL and all options that differ
            from the defaults. Records and caches know replies by it: give one to let a server move
            between ports, and another one for whatever answers differently.
        prices: Dollars per million tokens: (prompt, completion) or (prompt, completion, cached).
        stream: Whether the answer comes in pieces, for proxies that end silent connections.
        form: What to hold the server to first: "schema", "json" or "text".

    Raises:
        InvalidArgument: If a value breaks a rule, or holds a key.
    """
    address = Address(base_url, api_key_env, dict(headers or {}))
    sampling = Sampling(
        model=model,
        temperature=temperature,
        top_p=top_p,
        max_tokens=max_tokens,
        seed=seed,
        extra_body=dict(extra_body or {}),
    )
    refuse_secrets(api_key_env, model=model, extra_body=extra_body, name=name)
    refuse_secret_fields("extra_body=", sampling.extra_body)
    limits = Limits(timeout_seconds, connect_seconds, max_connections)
    backend = OpenAIBackend(
        address,
        sampling,
        checked_limits(limits),
        prices=checked_prices(prices),
        stream=stream,
        form=checked_form(form),
    )
    backend.name = name or backend.name
    return backend


class Limits(NamedTuple):
    """How long to wait, and how much at once; `openai` says what each means."""

    timeout_seconds: float = 60.0
    connect_seconds: float = 10.0
    max_connections: int = 1024


def checked_limits(limits: Limits) -> Limits:
    """Return the limits, if all of them are above 0."""
    for argument, value in limits._asdict().items():
        if not 0 < value < math.inf:
            raise InvalidArgument(f"{argument}={value} is not above 0 and finite.")
    return limits


class _Pool(NamedTuple):
    """What belongs to one event loop."""

    session: aiohttp.ClientSession
    places: asyncio.Semaphore


class _Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    content: bytes


class OpenAIBackend(AsyncBackend):
    """A backend made by `openai`."""

    def __init__(
        self,
        address: Address,
        sampling: Sampling,
        limits: Limits = Limits(),  # noqa: B008 - a value
        *,
        prices: Prices | None = None,
        stream: bool = False,
        form: Form = "schema",
    ):
        words = (sampling.words, address.words, f"form={form}" if form != "schema" else "")
        self.name = " ".join(filter(None, (f"openai:{sampling.model}@{address.url}", *words)))
        self._address = address
        self._sampling = sampling
        self._limits = limits
        self._prices = prices
        self._stream = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
        self._form: Form = form
        self._url = URL(f"{address.url}/chat/completions")
        self._headers = HEADERS | dict(address.headers)
        self._proxy = _proxy(self._url)
        self._timeout = aiohttp.ClientTimeout(
            total=limits.timeout_seconds,
            sock_connect=min(limits.connect_seconds, limits.timeout_seconds),
        )
        self._pools: dict[asyncio.AbstractEventLoop, _Pool] = {}
        # At exit the base closes what is open on its loop.
        weakref.finalize(self, _close, self._pools).atexit = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    async def complete_async(self, request: Request) -> Reply:
        """Answer one request, or raise a `Fault`."""
        pool = self._pool()
        async with pool.places:
            started = perf_counter()
            answer, form, requests = await self._ask(pool.session, request)
            meter = {"requests": float(requests), "seconds": perf_counter() - started}
        if form is not None:
            meter[f"as_{form}"] = 1.0
        try:
            reply = self._read(answer)
        except Fault as fault:
            note_meter(fault, meter)
            raise
        return Reply(reply.text, meter | dict(reply.meter))

    async def aclose(self) -> None:
        """Close the connections of the running event loop; the backend can be used again."""
        if pool := self._pools.pop(asyncio.get_running_loop(), None):
            await pool.session.close()

    async def _ask(
        self, session: aiohttp.ClientSession, request: Request
    ) -> tuple[_Answer, Form | None, int]:
        """Send a request, in freer forms if need be; say in which, and how often."""
        form = self._form if request.schema is not None else None
        answer = await self._send(session, request, form)
        requests = 1
        while (
            form in ("schema", "json")
            and answer.status != 200
            and refuses_form(answer.status, answer.content.decode("utf-8", "replace"))
        ):
            form = freer(form)
            answer = await self._send(session, request, form)
            requests += 1
        # An error may only quote the words that name a form: what works is the proof.
        if form is not None and answer.status == 200:
            self._form = freest(form, self._form)
        return answer, form, requests

    async def _send(
        self, session: aiohttp.ClientSession, request: Request, form: Form | None
    ) -> _Answer:
        """Send once.

        Raises:
            Fault: If no whole answer came back.
        """
        body = encoded(self._sampling.fields(request, form) | self._stream).encode("ascii")
        try:
            async with session.post(
                self._url,
                data=body if len(body) < LARGE else io.BytesIO(body),
                headers=self._headers | self._address.authorization(),
                allow_redirects=False,  # the key goes to nobody else
                proxy=self._proxy,
            ) as response:
                content = await response.read()
        # Not chained, any of them: their frames hold the headers that were sent, and so the key,
        # for whoever prints a traceback with its locals.
        except TimeoutError as error:
            raise self._timed_out(error) from None
        except aiohttp.ClientPayloadError:
            raise CutOff(f"{self._address.url} broke off within its answer") from None
        except aiohttp.ClientResponseError as error:
            raise Unreachable(f"{self._address.url} does not speak HTTP: {error.message}") from None
        except (aiohttp.ClientError, OSError) as error:
            raise self._unreachable(error) from None
        return _Answer(response.status, response.headers, self._address.masked(content))

    def _read(self, answer: _Answer) -> Reply:
        """Return the reply of an answer, or raise the fault that it is."""
        if answer.status == 200:
            return read_completion(answer.content, self._prices)
        answered = (
            f"{self._address.url} answered {answer.status}.{self._address.advice(answer.status)}"
        )
        error = error_of(answer.content)
        raise error_fault(answer.status, error, answered, answer.headers)

    def _timed_out(self, error: TimeoutError) -> TimedOut:
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return TimedOut(
                f"{self._address.url} took no connection within connect_seconds="
                f"{self._timeout.sock_connect:g}"
            )
        return TimedOut(
            f"{self._address.url} did not answer within timeout_seconds={self._timeout.total:g}. "
            "Give more time, or ask it less at once."
        )

    def _unreachable(self, error: Exception) -> Unreachable:
        many = isinstance(error, OSError) and error.errno in (23, 24)  # ENFILE, EMFILE
        fix = (
            f"Raise the limit of open files (ulimit -n) or lower max_connections="
            f"{self._limits.max_connections}."
            if many
            else "Is the server running?"
        )
        return Unreachable(f"{self._address.url}: {shown(str(error) or repr(error))}. {fix}")

    def _pool(self) -> _Pool:
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            for ended in [other for other in self._pools if other.is_closed()]:
                del self._pools[ended]
            pool = self._pools[loop] = self._opened()
        return pool

    def _opened(self) -> _Pool:
        # The limit is the semaphore's: aiohttp would count the wait for a place as time to answer.
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_ALIVE_SECONDS)
        session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=self._timeout
        )
        return _Pool(session, asyncio.Semaphore(self._limits.max_connections))


def _close(pools: dict[asyncio.AbstractEventLoop, _Pool]) -> None:
    """Close what a backend that nobody has any more left open on loops that still run."""
    for loop, pool in pools.items():
        if loop.is_running():
            asyncio.run_coroutine_threadsafe(pool.session.close(), loop)
    pools.clear()


def _proxy(url: URL) -> str | None:
    """Return the proxy that the environment names for this URL; never one for this machine."""
    host = url.host or ""
    if host in ("localhost", "::1") or host.startswith("127.") or proxy_bypass(host):
        return None
    return getproxies().get(url.scheme)
