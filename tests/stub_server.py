"""A chat-completions server on loopback that does as it is told, for tests and benchmarks.

In a test, on a thread of its own::

    with StubServer("Hello.") as stub:
        ask(stub.url)                      # base URL, ends in /v1
        assert stub.calls[0].body["seed"] == 7

What it answers is `stub.answer`, which may be changed while it runs: a text, an `Answer`, or a
function of the request's JSON that returns either. The function runs on the server's thread, one
request at a time, so it may keep state; an error in it answers 500 and is raised again when the
`with` block ends. Ready-made: `failing`, `raw`, `DROP`, `HELD`, `in_turn`, `knowing`, `echo`.

As a process of its own; it prints its URL as the first line and serves until its input ends::

    python tests/stub_server.py --latency 0.05 --port 0
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NamedTuple

Json = dict[str, Any]
LIMIT_SECONDS = 30
"""How long `wait_for` waits before it says that the calls never came."""


class Call(NamedTuple):
    """A request that came in."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: Json


@dataclass(frozen=True, slots=True)
class Answer:
    """What to do with one request. As given, a whole and correct completion at once.

    If the request asks for a stream, the same text goes out as server-sent events.
    """

    text: str | None = "All right."
    """The message's `content`."""
    latency: float = 0.0
    """Seconds to wait first; a server's own `latency` comes on top."""
    held: bool = False
    """Wait for `StubServer.release`."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    """Sent as it stands instead of a completion."""
    finish: str | None = "stop"
    message: Mapping[str, Any] = field(default_factory=dict)
    """More fields of the message, such as `refusal` or `reasoning_content`."""
    usage: Mapping[str, Any] | None = None
    """None: the numbers of words in the request's messages and in the text. Empty: no usage."""
    gap: float = 0.0
    """Seconds before each event of a stream."""
    cut_after: int | None = None
    """Break the connection off after so many bytes of the body, or so many events of a stream;
    -1: before anything is sent."""
    ends_at_close: bool = False
    """Send no length and no chunks, so that a cut is not to be told from the end."""


Behaviour = str | Answer
Script = Callable[[Json], Behaviour]

DROP = Answer(cut_after=-1)
"""Closes the connection without a byte."""
HELD = Answer(held=True)
"""Does not answer before `StubServer.release`."""


def failing(status: int, message: str = "no", headers: Mapping[str, str] | None = None) -> Answer:
    """Return an HTTP error in OpenAI's form."""
    body = {"error": {"message": message, "type": "error", "param": None, "code": status}}
    return Answer(status=status, headers=headers or {}, body=json.dumps(body).encode())


def raw(body: bytes | str | Json | list[Any], status: int = 200) -> Answer:
    """Return a response with this body, whatever it is."""
    if isinstance(body, str):
        body = body.encode()
    return Answer(
        status=status, body=body if isinstance(body, bytes) else json.dumps(body).encode()
    )


def in_turn(*behaviours: Behaviour) -> Script:
    """Return a script that goes through these, and stays with the last."""
    left = list(behaviours)
    return lambda body: left.pop(0) if len(left) > 1 else left[0]


def knowing(form: str | None, behaviour: Behaviour | Script, status: int = 400) -> Script:
    """Return a script that fails for a `response_format` beyond `form`.

    Args:
        form: "json_schema", "json_object", or None for a server that knows no form at all.
        behaviour: What the others get.
        status: Of the failure.
    """
    known = {"json_schema": {"json_schema", "json_object"}, "json_object": {"json_object"}}

    def script(body: Json) -> Behaviour:
        asked = body.get("response_format", {}).get("type")
        if asked and asked not in known.get(form or "", ()):
            return failing(status, f"'response_format.type' {asked} is not supported")
        return behaviour(body) if callable(behaviour) else behaviour

    return script


def echo(body: Json) -> str:
    """Say the last message again, with the seed: a reply that tells requests apart."""
    return f"[{body.get('seed')}] {body['messages'][-1]['content']}"


class StubServer:
    """The server, on a thread of its own while the `with` block lasts.

    Attributes:
        answer: What it does with a request; see the top of the file.
        latency: Seconds before each answer.
        calls: All requests so far, in the order in which they came.
        connections: How many connections were opened so far.
        in_flight: How many requests are not yet answered.
        peak: The most that were in flight at once.
    """

    def __init__(
        self,
        answer: Behaviour | Script = "All right.",
        *,
        latency: float = 0.0,
        port: int = 0,
        log: bool = True,
    ):
        self.answer = answer
        self.latency = latency
        self.port = port
        self.log = log
        self.calls: list[Call] = []
        self.connections = 0
        self.in_flight = 0
        self.peak = 0
        self._mistake: Exception | None = None
        self._news = threading.Condition()
        self._open: set[_Connection] = set()
        self._held: list[Callable[[], None]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        """The base URL, to which `/chat/completions` is added."""
        return f"http://127.0.0.1:{self.port}/v1"

    def wait_for(self, calls: int) -> None:
        """Wait until so many requests have come in, in all."""
        with self._news:
            came = self._news.wait_for(lambda: len(self.calls) >= calls, LIMIT_SECONDS)
        assert came, f"waited for {calls} calls; {len(self.calls)} came"

    def release(self) -> None:
        """Answer what is held."""
        self._loop.call_soon_threadsafe(self._release)

    def disconnect(self) -> None:
        """Break off all connections, and wait until that is done; new ones are taken."""
        asyncio.run_coroutine_threadsafe(self._disconnect(), self._loop).result()

    async def start(self) -> None:
        """Listen, on the running loop."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self), "127.0.0.1", self.port, backlog=4096
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close everything."""
        self._server.close()
        await self._disconnect()

    def __enter__(self) -> StubServer:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.start(), self._loop).result()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self.stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        if self._mistake and kind is None:
            raise self._mistake

    def _release(self) -> None:
        held, self._held = self._held, []
        for send in held:
            send()

    async def _disconnect(self) -> None:
        for connection in list(self._open):
            connection.transport.abort()
        while self._open:
            await asyncio.sleep(0)

    def _decided(self, call: Call) -> Answer:
        """Note a request, and decide what to do with it."""
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        if self.log:
            with self._news:
                self.calls.append(call)
                self._news.notify_all()
        if not call.path.endswith("/chat/completions"):
            return failing(404, f"there is no {call.path}")
        try:
            chosen = self.answer(call.body) if callable(self.answer) else self.answer
        except Exception as mistake:  # noqa: BLE001 - raised again at the end of the block
            self._mistake = mistake
            return failing(500, f"the script failed: {mistake!r}")
        return Answer(chosen) if isinstance(chosen, str) else chosen


class _Connection(asyncio.Protocol):
    """One connection; requests on it follow each other."""

    def __init__(self, server: StubServer):
        self.server = server
        self.received = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.server.connections += 1
        self.server._open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.server._open.discard(self)

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, blank, rest = self.received.partition(b"\r\n\r\n")
        if not blank:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self.received = rest[length:]
        method, path, _ = first.split(" ", 2)
        body = json.loads(rest[:length]) if length else {}
        self.decide(Call(method, path, headers, body))

    def decide(self, call: Call) -> None:
        answer = self.server._decided(call)
        loop = asyncio.get_running_loop()
        if answer.held:
            self.server._held.append(lambda: self.send(answer, call.body))
        elif wait := answer.latency + self.server.latency:
            loop.call_later(wait, self.send, answer, call.body)
        else:
            self.send(answer, call.body)

    def send(self, answer: Answer, body: Json) -> None:
        self.server.in_flight -= 1
        if self.transport.is_closing():
            return
        if answer.cut_after == -1:
            self.transport.abort()
        elif body.get("stream") and answer.body is None:
            self.send_events(answer, events(answer, body))
        else:
            whole = completion(answer, body) if answer.body is None else answer.body
            self.send_whole(answer, whole)

    def send_whole(self, answer: Answer, content: bytes) -> None:
        start = head(answer, "application/json", len(content))
        self.transport.write(start + content[: answer.cut_after])
        if answer.cut_after is not None or answer.ends_at_close:
            self.transport.close()

    def send_events(self, answer: Answer, left: list[bytes]) -> None:
        self.transport.write(head(answer, "text/event-stream", None))
        self.send_next(answer, left[: answer.cut_after])

    def send_next(self, answer: Answer, left: list[bytes]) -> None:
        """Send the next event and come back for the rest after the gap."""
        while left and not self.transport.is_closing():
            if answer.gap:
                asyncio.get_running_loop().call_later(answer.gap, self.send_after_gap, answer, left)
                return
            self.send_event(answer, left.pop(0))
        self.end_events(answer)

    def send_after_gap(self, answer: Answer, left: list[bytes]) -> None:
        if not self.transport.is_closing():
            self.send_event(answer, left.pop(0))
            self.send_next(answer, left)

    def send_event(self, answer: Answer, event: bytes) -> None:
        chunk = event if answer.ends_at_close else b"%x\r\n%b\r\n" % (len(event), event)
        self.transport.write(chunk)

    def end_events(self, answer: Answer) -> None:
        if answer.ends_at_close or answer.cut_after is not None:
            self.transport.close()
        else:
            self.transport.write(b"0\r\n\r\n")


def head(answer: Answer, kind: str, length: int | None) -> bytes:
    """Return the status line and the headers."""
    lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
    lines.append(f"Content-Type: {kind}")
    if answer.ends_at_close:
        lines.append("Connection: close")
    else:
        lines.append(f"Content-Length: {length}" if length is not None else CHUNKED)
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


CHUNKED = "Transfer-Encoding: chunked"


def completion(answer: Answer, body: Json) -> bytes:
    """Return a whole chat completion."""
    message = {"role": "assistant", "content": answer.text, **answer.message}
    choice = {"index": 0, "message": message, "finish_reason": answer.finish}
    return json.dumps(
        {
            "id": "chatcmpl-stub",
            "object": "chat.completion",
            "created": 0,
            "model": body.get("model"),
            "choices": [choice],
            "usage": usage(answer, body),
        }
    ).encode()


def usage(answer: Answer, body: Json) -> Json:
    if answer.usage is not None:
        return dict(answer.usage)
    asked = sum(len(str(message["content"]).split()) for message in body.get("messages", ()))
    said = len((answer.text or "").split())
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


def events(answer: Answer, body: Json) -> list[bytes]:
    """Return the same completion as server-sent events, a word each."""
    words = [word + " " for word in (answer.text or "").split(" ")]
    words[-1] = words[-1][:-1]
    deltas: list[Json] = [{"role": "assistant", "content": "", **answer.message}]
    deltas += [{"content": word} for word in words if word]
    parts: list[Json] = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    parts.append({"choices": [{"index": 0, "delta": {}, "finish_reason": answer.finish}]})
    if body.get("stream_options", {}).get("include_usage"):
        parts.append({"choices": [], "usage": usage(answer, body)})
    lines = [json.dumps({"object": "chat.completion.chunk", **part}) for part in parts]
    return [f"data: {line}\n\n".encode() for line in [*lines, "[DONE]"]]


async def serve(latency: float, port: int, text: str) -> None:
    """Serve until the input ends."""
    server = StubServer(text, latency=latency, port=port, log=False)
    await server.start()
    print(server.url, flush=True)  # noqa: T201 - the one thing that the caller has to know
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--text", default="All right.", help="what it answers")
    options = parser.parse_args()
    asyncio.run(serve(options.latency, options.port, options.text))
