"""Requests to a chat server, and what comes of them."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

from stub_server import StubServer

from empathy_env.backends import Request, openai
from empathy_env.errors import Fault
from empathy_env.messages import from_system, from_user

KEY = "fake-0123456789-do-not-show"
SCHEMA = {
    "type": "object",
    "properties": {"z": {"type": "string"}, "a": {"type": "number"}},
    "required": ["z", "a"],
}
ROOT = Path(__file__).parents[2]


def asking(text="hello", *, schema=None, seed=7, purpose="speak"):
    return Request(purpose, (from_system("Be brief."), from_user(text)), schema, seed)


def asked(backend, *requests):
    """Return what the backend answers to these requests, faults included."""
    return backend.complete(requests or [asking()])


def failure(answer, **options):
    """Return the fault that an answer of the server becomes."""
    with StubServer(answer) as stub:
        (fault,) = asked(openai("m", base_url=stub.url, **options))
    assert isinstance(fault, Fault), fault
    return fault


class talking:
    """A server that answers with these bytes, whatever they are."""

    def __init__(self, content):
        self.content = content

    def __enter__(self):
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.answer)
        self.thread.start()
        return f"http://127.0.0.1:{self.listening.getsockname()[1]}/v1"

    def answer(self):
        connection, _ = self.listening.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(self.content)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass

    def __exit__(self, *_):
        self.thread.join()
        self.listening.close()
