"""No key in anything that a run leaves behind: files, names, messages, logs, tracebacks."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback

import pytest
from stub_server import Answer, StubServer, failing, raw

from empathy_env.backends import Request, replay
from empathy_env.backends.batch import batching
from empathy_env.backends.budget import budgeted
from empathy_env.backends.cache import cached
from empathy_env.backends.chat_server import openai
from empathy_env.backends.retry import retrying
from empathy_env.backends.route import routed
from empathy_env.backends.tape import recording
from empathy_env.errors import BackendFault
from empathy_env.messages import from_user

KEY = "sk-fake-0d15ea5e-never-to-be-seen"


@pytest.fixture(autouse=True)
def fake_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


async def at_once(seconds):
    pass


def stacked(url, folder):
    """Every wrapper there is, around a server."""
    server = openai("model", base_url=url)
    kept = cached(retrying(budgeted(server, requests=1_000), sleep=at_once), folder / "replies.db")
    return recording(routed(speak=kept, default=batching(server, wait_seconds=0)), folder / "tape")


def echoing(stub, turn):
    """Return an answer that holds all headers of the request, the key with them."""
    headers = json.dumps(stub.calls[-1].headers)
    assert KEY in headers
    bad_header = {"X-Echo": stub.calls[-1].headers["authorization"]}
    return [
        headers,
        failing(400, headers),
        failing(401, headers, bad_header),
        failing(429, headers, {"Retry-After": KEY}),
        failing(500, headers, bad_header),
        raw(headers),
        raw(f"<html>{headers}</html>", status=502),
        raw(f'{{"choices": [{{"message": {{"content": {headers}', status=200),
        Answer(headers, finish="length"),
        Answer(None, message={"refusal": headers}),
        Answer(headers, finish="content_filter"),
        Answer(headers, cut_after=40),
        Answer(f"x {KEY}", cut_after=-1),
        raw(b""),
        Answer("", message={"reasoning_content": headers}),
    ][turn]


TURNS = 15


def told(fault):
    """Return all that is printed of a fault, with its notes and causes, and all that it holds."""
    chain = [fault]
    while cause := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(cause)
    texts = [repr(one) + str(one) + repr(vars(one)) for one in chain]
    return "".join([*texts, *traceback.format_exception(fault)])


def test_the_key_is_sent_and_is_in_nothing_that_is_left_behind(tmp_path, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    with StubServer(log=True) as stub:
        backend = stacked(stub.url, tmp_path)
        seen, kinds = [], set()
        for turn in range(TURNS):
            stub.answer = lambda body, turn=turn: echoing(stub, turn)
            for purpose in ("speak", "judge"):
                request = Request(purpose, (from_user("hello"),), {"type": "object"}, turn, "ada/1")
                (answer,) = backend.complete([request])
                fault = answer if isinstance(answer, BackendFault) else None
                kinds.add(type(answer).__name__)
                seen.append(told(fault) if fault else repr(answer))
        seen += [backend.name, repr(backend), str(backend), repr(vars(backend))]
        asyncio.run(backend.aclose())
        assert all(call.headers["authorization"] == f"Bearer {KEY}" for call in stub.calls)
    assert kinds >= {"Reply", "BadStatus", "RequestRejected", "Refused", "CutOff", "EmptyReply"}
    seen += [record.getMessage() + repr(vars(record)) for record in caplog.records]
    seen += capfd.readouterr()
    assert [text for text in seen if KEY in text] == []
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert {"replies.db", "tape"} <= {file.name for file in files}
    assert [file.name for file in files if KEY.encode() in file.read_bytes()] == []


def test_what_was_recorded_with_a_key_is_played_without_one(tmp_path, monkeypatch):
    request = Request("speak", (from_user("hello"),), None, 3, "ada/1")
    with StubServer("There.") as stub:
        backend = stacked(stub.url, tmp_path)
        (live,) = backend.complete([request])
        asyncio.run(backend.aclose())
    monkeypatch.delenv("OPENAI_API_KEY")
    (played,) = replay(tmp_path / "tape").complete([request])
    assert played == live
    assert played.text == "There."


def test_a_server_that_is_gone_tells_no_key(tmp_path):
    with StubServer() as stub:
        url = stub.url
    backend = stacked(url, tmp_path)
    (fault,) = backend.complete([Request("speak", (from_user("hello"),))])
    asyncio.run(backend.aclose())
    assert isinstance(fault, BackendFault)
    assert KEY not in told(fault)
