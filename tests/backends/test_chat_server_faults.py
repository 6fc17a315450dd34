import asyncio
import socket
import threading

import pytest
from chat import asked, asking, failure, talking
from stub_server import (
    DROP,
    HELD,
    Answer,
    StubServer,
    echo,
    failing,
    in_turn,
    raw,
)

from empathy_env.backends import openai
from empathy_env.errors import (
    BadStatus,
    CutOff,
    EmptyReply,
    Malformed,
    Refused,
    RequestRejected,
    TimedOut,
    Unreachable,
)

# Faults


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("answer", "kind", "match"),
    [
        (failing(400, "too long"), RequestRejected, "too long"),
        (failing(413), RequestRejected, "413"),
        (failing(422), RequestRejected, "422"),
        (failing(404, "no such model"), BadStatus, "no such model.*|base URL"),
        (failing(429, "slow down"), BadStatus, "slow down"),
        (failing(500), BadStatus, "500"),
        (raw(b"<html>Bad gateway</html>", 502), BadStatus, "Bad gateway"),
        (Answer(status=503, body=b" "), BadStatus, "503"),
        (raw({"detail": "not so"}, 422), RequestRejected, "not so"),
        (raw({"error": {"message": "filtered", "code": "content_filter"}}, 400), Refused, "filt"),
        (Answer(finish="length"), CutOff, "max_tokens"),
        (Answer(None, finish="length"), CutOff, "max_tokens"),
        (Answer(finish="abort"), CutOff, "abort"),
        (Answer(finish="content_filter"), Refused, "All right"),
        (Answer(None, message={"refusal": "I cannot"}), Refused, "I cannot"),
        (Answer(""), EmptyReply, "without a word"),
        (Answer(None), EmptyReply, "without a word"),
        (Answer(" \n\t"), EmptyReply, "without a word"),
        (Answer(None, message={"reasoning_content": "Hmm."}), EmptyReply, "without a word"),
        (raw(b"<html>"), Malformed, "no JSON: <html>"),
        (raw(b"\xff\xfe\x00"), Malformed, "no JSON"),
        (raw(b"[" * 100_000), Malformed, "no JSON"),
        (raw(b""), CutOff, "middle"),
        (raw([]), Malformed, "no chat completion"),
        (raw("null"), Malformed, "no chat completion"),
        (raw({}), Malformed, "no chat completion"),
        (raw({"choices": []}), Malformed, "no chat completion"),
        (raw({"choices": [{"text": "old"}]}), Malformed, "no chat completion"),
        (raw({"choices": [{"message": {"content": 5}}]}), Malformed, "no text: 5"),
        (raw({"error": {"message": "overloaded", "code": 529}}), BadStatus, "overloaded"),
        (raw({"error": "sorry"}), BadStatus, "sorry"),
        (raw(b'{"choices": [{"message": {"content": "Hel'), CutOff, "middle"),
        (raw(b'{"choices": [{"message"'), CutOff, "middle"),
        (Answer(cut_after=40), CutOff, "broke off"),
        (Answer(cut_after=40, ends_at_close=True, body=b'{"choices": [{"message": {"content": "Hello there.'), CutOff, "middle"),
        (Answer(cut_after=0), (CutOff, Unreachable), "broke off|middle"),
        (DROP, Unreachable, "Is the server running"),
    ],
)  # fmt: skip
def test_each_failure_is_its_own_fault(answer, kind, match, stream):
    if stream and answer.cut_after not in (None, -1):
        answer = Answer(cut_after=2, ends_at_close=answer.ends_at_close)
        match = "broke off"
    fault = failure(answer, stream=stream)
    assert isinstance(fault, kind)
    assert pytest.raises(type(fault), match=match)
    if answer.status != 200 and kind is not Refused:
        assert fault.status == answer.status


def test_an_error_in_a_good_status_keeps_its_own():
    assert failure(raw({"error": {"message": "busy", "code": 529}})).status == 529
    assert failure(raw({"error": {"message": "busy", "code": 529}})).transient


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "2"}, 2.0),
        ({"Retry-After": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "Retry-After": "1"}, 0.25),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT", "Date": "Wed, 21 Oct 2015 07:28:00 GMT"}, 30.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_the_server_says_when_to_come_back(headers, seconds):
    assert failure(failing(429, headers=headers)).retry_after == seconds
    assert failure(failing(503, headers=headers)).retry_after == seconds


def test_a_long_error_page_is_cut():
    assert len(str(failure(raw(b"<p>" + b"very long " * 10_000, 500)))) < 500


def test_a_redirection_is_not_followed():
    fault = failure(Answer(status=307, headers={"Location": "http://127.0.0.1:1/v1"}, body=b" "))
    assert (fault.status, "base URL" in str(fault)) == (307, True)


def test_nobody_listens():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        (fault,) = asked(openai("m", base_url=f"http://127.0.0.1:{port}/v1"))
    assert isinstance(fault, Unreachable)
    assert fault.transient
    assert "Is the server running" in str(fault)


def test_a_server_that_goes_and_comes_back():
    with StubServer("first") as stub:
        backend = openai("m", base_url=stub.url)
        assert asked(backend)[0].text == "first"
        port = stub.port
    assert isinstance(asked(backend)[0], Unreachable)
    with StubServer("second", port=port):
        assert asked(backend)[0].text == "second"


def test_connections_that_break_while_it_waits(stub):
    stub.answer = HELD
    backend = openai("m", base_url=stub.url)
    results = []
    thread = threading.Thread(target=lambda: results.extend(backend.complete([asking()] * 8)))
    thread.start()
    stub.wait_for(8)
    stub.disconnect()
    thread.join()
    assert [type(fault) for fault in results] == [Unreachable] * 8


@pytest.mark.parametrize("answer", [HELD, Answer("a b c d e f g h", gap=0.03)])
def test_no_answer_in_time(answer):
    fault = failure(answer, timeout_seconds=0.1, stream=True)
    assert isinstance(fault, TimedOut)
    assert "timeout_seconds=0.1" in str(fault)


def test_no_connection_in_time():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for other in waiting:
            other.setblocking(False)
            other.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}/v1"
        (fault,) = asked(openai("m", base_url=url, connect_seconds=0.1))
        for other in waiting:
            other.close()
    assert isinstance(fault, TimedOut)
    assert "connect_seconds=0.1" in str(fault)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", Unreachable),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nno", (CutOff, Unreachable)),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd", CutOff),
        (b"", Unreachable),
    ],
)
def test_what_is_no_http_is_a_fault_too(content, kind):
    with talking(content) as url:
        (fault,) = asked(openai("m", base_url=url))
    assert isinstance(fault, kind)


def test_one_failure_leaves_the_others_be():
    def script(body):
        return DROP if body["messages"][-1]["content"] == "3" else echo(body)

    with StubServer(script) as stub:
        results = openai("m", base_url=stub.url).complete([asking(str(n)) for n in range(6)])
    assert isinstance(results[3], Unreachable)
    assert [reply.text for n, reply in enumerate(results) if n != 3] == [
        f"[7] {n}" for n in (0, 1, 2, 4, 5)
    ]


def test_cancelling_cancels(stub):
    stub.answer = in_turn(HELD, "Fine.")

    async def cancelled():
        backend = openai("m", base_url=stub.url)
        task = asyncio.create_task(backend.complete_async(asking()))
        await asyncio.to_thread(stub.wait_for, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        reply = await backend.complete_async(asking())
        await backend.aclose()
        return reply.text

    assert asyncio.run(cancelled()) == "Fine."
