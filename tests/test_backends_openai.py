import asyncio
import gc
import json
import socket
import subprocess
import sys
import threading
import traceback
from pathlib import Path

import pytest
from stub_server import (
    DROP,
    HELD,
    Answer,
    StubServer,
    completion,
    echo,
    failing,
    in_turn,
    knowing,
    raw,
)

from empathy_env.backends import OpenAIBackend, Request, openai
from empathy_env.errors import (
    BadStatus,
    CutOff,
    EmptyReply,
    Fault,
    InvalidArgument,
    Malformed,
    Refused,
    RequestRejected,
    TimedOut,
    UnknownName,
    Unreachable,
)
from empathy_env.messages import from_system, from_user

KEY = "fake-0123456789-do-not-show"
SCHEMA = {
    "type": "object",
    "properties": {"z": {"type": "string"}, "a": {"type": "number"}},
    "required": ["z", "a"],
}
HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def stub():
    with StubServer(echo) as server:
        yield server


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


# What is sent


def test_the_chat_goes_out_as_it_is_with_the_seed(stub):
    (reply,) = asked(openai("smol", base_url=stub.url + "/"))
    assert reply.text == "[7] hello"
    [call] = stub.calls
    assert (call.method, call.path) == ("POST", "/v1/chat/completions")
    assert call.body == {
        "model": "smol",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "hello"},
        ],
        "max_tokens": 1024,
        "seed": 7,
    }
    assert call.headers["content-type"] == "application/json"


def test_options_go_out_and_extra_fields_come_last(stub):
    backend = openai(
        "m",
        base_url=stub.url,
        temperature=0,
        top_p=0.9,
        max_tokens=5,
        seed=False,
        extra_body={"top_k": 4, "max_tokens": None, "max_completion_tokens": 6},
        headers={"X-Team": "blue"},
    )
    asked(backend)
    [call] = stub.calls
    sent = {key: value for key, value in call.body.items() if key not in {"messages", "model"}}
    assert sent == {"temperature": 0, "top_p": 0.9, "top_k": 4, "max_completion_tokens": 6}
    assert call.headers["x-team"] == "blue"


def test_what_is_said_comes_through_in_any_script(stub):
    text = 'naïve "quoted"\n\t你好 🙂 \ud800'
    (reply,) = asked(openai("m", base_url=stub.url), asking(text))
    assert reply.text == f"[7] {text}"


def test_a_prompt_of_two_megabytes_goes_through(stub):
    long = "word " * 400_000
    (reply,) = asked(openai("m", base_url=stub.url), asking(long))
    assert reply.text == f"[7] {long}"


def test_the_name_says_all_that_decides_the_reply():
    url = "http://127.0.0.1:8000/v1"
    assert openai("smol", base_url=url).name == f"openai:smol@{url}"
    full = openai(
        "smol", base_url=url, temperature=0.7, max_tokens=512, seed=False, extra_body={"top_k": 2}
    )
    assert full.name == (
        f'openai:smol@{url} temperature=0.7 max_tokens=512 seed=False {{"top_k":2}}'
    )
    names = {
        openai("smol", base_url=url, **options).name
        for options in (
            {},
            {"top_p": 0.5},
            {"max_tokens": None},
            {"form": "json"},
            {"headers": {"X-Team": "blue"}},
            {"headers": {"X-Team": "red"}},
        )
    }
    assert len(names) == 6
    assert repr(openai("smol", base_url=url)) == f"OpenAIBackend('openai:smol@{url}')"


def test_how_it_is_asked_does_not_change_the_name_and_a_name_can_be_given():
    url = "http://127.0.0.1:8000/v1"
    other = openai("m", base_url=url, stream=True, timeout_seconds=5, prices=(1, 2))
    assert other.name == openai("m", base_url=url).name
    assert openai("m", base_url=url, name="my user").name == "my user"


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"model": " "}, "model=' ' is blank"),
        ({"temperature": -1}, "temperature=-1"),
        ({"temperature": float("nan")}, "temperature=nan"),
        ({"top_p": 0}, "top_p=0"),
        ({"max_tokens": 0}, "max_tokens=0"),
        ({"timeout_seconds": 0}, "timeout_seconds=0"),
        ({"connect_seconds": -1}, "connect_seconds=-1"),
        ({"max_connections": 0}, "max_connections=0"),
        ({"prices": (1,)}, r"prices=\(1,\)"),
        ({"prices": (1, -1)}, r"prices=\(1, -1\)"),
        ({"extra_body": {"messages": []}}, "messages"),
        ({"extra_body": {"stream": True}}, "stream"),
        ({"base_url": "localhost:8000"}, "no URL"),
        ({"base_url": "ftp://host"}, "no URL"),
        ({"base_url": "http://[bad/v1"}, "no URL"),
        ({"base_url": "http://hôte/v1"}, "no URL"),
        ({"base_url": "http://host/a path"}, "no URL"),
        ({"base_url": "http://host:port/v1"}, "no URL"),
        ({"base_url": "http://host/v1?a=b"}, "goes on after"),
        ({"base_url": "http://host/v1#a"}, "goes on after"),
        ({"base_url": "http://host/v1/chat/completions"}, "Leave out /chat/completions"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_sent(options, match):
    with pytest.raises(InvalidArgument, match=match):
        openai(**{"model": "m", "base_url": "http://127.0.0.1:1/v1"} | options)


def test_a_wrong_form_gets_the_nearest_right_one():
    with pytest.raises(UnknownName, match="'schema'"):
        openai("m", base_url="http://h/v1", form="shema")


# Keys


def test_the_key_is_read_when_it_is_sent(stub, monkeypatch):
    backend = openai("m", base_url=stub.url)
    asked(backend)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    asked(backend)
    monkeypatch.setenv("MINE", "other")
    asked(openai("m", base_url=stub.url, api_key_env="MINE"))
    asked(openai("m", base_url=stub.url, api_key_env=None))
    sent = [call.headers.get("authorization") for call in stub.calls]
    assert sent == [None, f"Bearer {KEY}", "Bearer other", None]


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
def test_a_server_that_repeats_the_key_does_not_spread_it(status, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    padding = "x" * 290  # so that the key stands where the message is cut
    for text in (f"bad key {KEY}!", padding + KEY):
        fault = failure(failing(status, text))
        written = "".join(traceback.format_exception(fault)) + repr(fault) + repr(vars(fault))
        assert KEY[:8] not in written
        assert "***" in str(fault) or "..." in str(fault)


def test_a_reply_with_the_key_is_masked_too(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with StubServer(f"Your key is {KEY}.") as stub:
        (reply,) = asked(openai("m", base_url=stub.url))
    assert reply.text == "Your key is ***."


def test_a_foreign_key_in_an_error_is_masked():
    assert "sk-proj" not in str(failure(failing(400, "you sent sk-proj-abcdefghijklmnop0123")))


@pytest.mark.parametrize("answer", [DROP, raw(b"<html>"), b"no http at all\r\n\r\n"])
def test_no_fault_holds_the_key_in_what_it_was_caused_by(answer, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    if isinstance(answer, bytes):
        with talking(answer) as url:
            (fault,) = asked(openai("m", base_url=url))
    else:
        fault = failure(answer)
    while fault is not None:
        assert KEY not in repr(fault) + str(fault) + repr(vars(fault))
        fault = fault.__cause__


@pytest.mark.parametrize(
    "options",
    [
        {"base_url": "http://me:hunter22@host/v1"},
        {"base_url": "http://hunter22@host/v1"},
        {"base_url": "http://host/v1?key=hunter22"},
        {"headers": {"Authorization": "Bearer hunter22"}},
        {"headers": {"api-key": "hunter22"}},
        {"headers": {"X-API-Key": "hunter22"}},
        {"headers": {"X-Mine": "Bearer hunter22"}},
        {"extra_body": {"api_key": "hunter22"}},
        {"extra_body": {"more": {"password": "hunter22"}}},
        {"extra_body": {"user": "sk-hunter22hunter22hunter22"}},
        {"model": "sk-hunter22hunter22hunter22"},
        {"name": "mine sk-hunter22hunter22hunter22"},
        {"api_key_env": "sk-hunter22hunter22hunter22"},
    ],
)
def test_a_secret_among_the_arguments_is_refused_and_not_repeated(options):
    with pytest.raises(InvalidArgument, match="environment") as caught:
        openai(**{"model": "m", "base_url": "http://host/v1"} | options)
    if "?key" not in str(options):
        assert "hunter" not in str(caught.value)


def test_the_very_key_of_the_environment_is_refused_as_an_argument(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(InvalidArgument, match="looks like a key") as caught:
        openai("m", base_url="http://host/v1", extra_body={"user": KEY})
    assert KEY not in str(caught.value)


def test_ordinary_names_and_fields_are_no_secrets():
    openai(
        "hf-internal-testing/tiny-random-gpt2",
        base_url="http://host/v1",
        extra_body={"max_completion_tokens": 5, "prompt_cache_key": "a", "skip_special_tokens": 1},
    )


def test_a_key_that_cannot_be_one_is_refused_without_being_shown(stub, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "hunter22\r\nX-Other: 1")
    with pytest.raises(InvalidArgument, match="OPENAI_API_KEY") as caught:
        asked(openai("m", base_url=stub.url))
    assert "hunter" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("status", [401, 403])
def test_an_error_about_the_key_names_the_variable(status, monkeypatch):
    assert "variable MINE is not set" in str(failure(failing(status), api_key_env="MINE"))
    assert "api_key_env" in str(failure(failing(status), api_key_env=None))
    monkeypatch.setenv("MINE", KEY)
    assert "MINE holds a key that is not" in str(failure(failing(status), api_key_env="MINE"))


# The meter


def test_the_meter_counts_requests_time_and_tokens(stub):
    (reply,) = asked(openai("m", base_url=stub.url))
    meter = dict(reply.meter)
    assert meter.pop("seconds") > 0
    assert meter == {"requests": 1, "prompt_tokens": 3, "completion_tokens": 2}


@pytest.mark.parametrize(
    ("usage", "more"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 60}}, {}),
        ({"prompt_cache_hit_tokens": 60}, {}),
        ({"prompt_tokens_details": None}, {"timings": {"cache_n": 60}}),
    ],
)
def test_tokens_from_the_prefix_cache_are_counted_and_priced(usage, more):
    answer = Answer(usage={"prompt_tokens": 100, "completion_tokens": 10, **usage})
    body = json.loads(completion(answer, {})) | more
    with StubServer(raw(body)) as stub:
        backend = openai("m", base_url=stub.url, prices=(1.0, 10.0, 0.5))
        (reply,) = asked(backend)
        (full,) = asked(openai("m", base_url=stub.url, prices=[1, 10]))
    assert reply.meter["cached_tokens"] == 60
    assert reply.meter["cost"] == pytest.approx((40 * 1.0 + 60 * 0.5 + 10 * 10.0) / 1e6)
    assert full.meter["cost"] == pytest.approx((100 + 100) / 1e6)


@pytest.mark.parametrize("usage", [{}, {"prompt_tokens": None}, {"prompt_tokens": "many"}])
def test_what_the_server_does_not_say_is_absent_and_not_nought(usage):
    with StubServer(Answer(usage=usage)) as stub:
        (reply,) = asked(openai("m", base_url=stub.url, prices=(1, 1)))
    assert reply.meter.keys() == {"requests", "seconds"}


def test_a_fault_says_what_it_cost():
    fault = failure(
        Answer(finish="length", usage={"prompt_tokens": 5, "completion_tokens": 9}), prices=(1, 1)
    )
    assert (fault.meter["completion_tokens"], fault.meter["requests"]) == (9, 1)
    assert fault.meter["cost"] == pytest.approx(14e-6)


# The form


def formats(stub):
    return [call.body.get("response_format", {}).get("type") for call in stub.calls]


def test_a_schema_goes_out_in_its_own_order(stub):
    (reply,) = asked(openai("m", base_url=stub.url), asking(schema=SCHEMA, purpose="judge this"))
    sent = stub.calls[0].body["response_format"]
    assert sent == {
        "type": "json_schema",
        "json_schema": {"name": "judge_this", "schema": SCHEMA, "strict": True},
    }
    assert list(sent["json_schema"]["schema"]["properties"]) == ["z", "a"]
    assert reply.meter["as_schema"] == 1


@pytest.mark.parametrize("status", [400, 404, 422, 500, 501])
@pytest.mark.parametrize(
    ("knows", "sent", "meter"),
    [
        ("json_object", ["json_schema", "json_object"], "as_json"),
        (None, ["json_schema", "json_object", None], "as_text"),
    ],
)
def test_a_server_that_lacks_a_form_is_asked_in_a_freer_one(status, knows, sent, meter):
    with StubServer(knowing(knows, "Fine.", status)) as stub:
        backend = openai("m", base_url=stub.url)
        (reply,) = asked(backend, asking(schema=SCHEMA))
        assert (reply.text, reply.meter[meter]) == ("Fine.", 1)
        assert reply.meter["requests"] == len(sent)
        assert formats(stub) == sent
        (again,) = asked(backend, asking(schema=SCHEMA))  # it is remembered
        assert again.meter["requests"] == 1
        assert again.meter[meter] == 1
        (free,) = asked(backend, asking())
        assert not {"as_schema", "as_json", "as_text"} & free.meter.keys()
        assert formats(stub) == [*sent, sent[-1], None]


@pytest.mark.parametrize(
    "message",
    [
        "Invalid parameter: 'response_format' of type 'json_schema' is not supported",
        "This model does not support response format `json_schema`.",
        'response_format type must be one of "text" or "json_object", but got: json_schema',
        "The provided JSON schema contains features not supported by xgrammar.",
        "This response_format type is unavailable now",
    ],
)
def test_it_understands_what_known_servers_say(message):
    with StubServer(in_turn(failing(400, message), "Fine.")) as stub:
        (reply,) = asked(openai("m", base_url=stub.url), asking(schema=SCHEMA))
    assert reply.meter["as_json"] == 1


@pytest.mark.parametrize("status", [400, 422])
def test_another_error_does_not_change_the_form(status):
    with StubServer(in_turn(failing(status, "maximum context length is 8192"), "Fine.")) as stub:
        backend = openai("m", base_url=stub.url)
        (fault,) = asked(backend, asking(schema=SCHEMA))
        assert isinstance(fault, RequestRejected)
        assert "8192" in str(fault)
        (reply,) = asked(backend, asking(schema=SCHEMA))
        assert reply.meter["as_schema"] == 1
        assert len(stub.calls) == 2


def test_an_error_that_only_quotes_the_words_changes_nothing_for_others():
    def quoting(body):
        said = body["messages"][-1]["content"]
        return failing(422, f"too long: {said}") if "response_format" in said else "Fine."

    with StubServer(quoting) as stub:
        backend = openai("m", base_url=stub.url)
        (fault,) = asked(backend, asking("I hate response_format json_schema", schema=SCHEMA))
        assert isinstance(fault, RequestRejected)
        (reply,) = asked(backend, asking(schema=SCHEMA))
        assert reply.meter["as_schema"] == 1


def test_many_in_flight_at_the_first_refusal_are_all_answered():
    with StubServer(Answer(held=True)) as stub:
        backend = openai("m", base_url=stub.url)
        refused = failing(400, "json_schema is not supported")

        def script(body):
            form = body.get("response_format", {}).get("type")
            if form == "json_schema":
                return Answer(status=400, body=refused.body, held=True)
            return failing(400, "response_format?") if form else echo(body)

        stub.answer = script
        requests = [asking(str(n), schema=SCHEMA) for n in range(50)]
        results = []
        thread = threading.Thread(target=lambda: results.extend(backend.complete(requests)))
        thread.start()
        stub.wait_for(50)
        stub.release()
        thread.join()
        assert [reply.text for reply in results] == [f"[7] {n}" for n in range(50)]
        assert all(reply.meter["as_text"] == 1 for reply in results)
        assert len(stub.calls) == 150
        asked(backend, asking(schema=SCHEMA))
        assert len(stub.calls) == 151


def test_the_first_form_can_be_chosen(stub):
    (reply,) = asked(openai("m", base_url=stub.url, form="text"), asking(schema=SCHEMA))
    assert formats(stub) == [None]
    assert reply.meter["as_text"] == 1


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


# Replies


def test_only_the_content_is_the_reply():
    thinking = {"reasoning_content": "They seem sad.", "reasoning": "They seem sad."}
    with StubServer(Answer("I see.", message=thinking)) as stub:
        for stream in (False, True):
            (reply,) = asked(openai("m", base_url=stub.url, stream=stream))
            assert reply.text == "I see."


def test_content_in_parts_is_joined():
    parts = [{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "I "}]
    body = {"choices": [{"message": {"content": [*parts, {"type": "text", "text": "see."}]}}]}
    with StubServer(raw(body)) as stub:
        assert asked(openai("m", base_url=stub.url))[0].text == "I see."


# Streams


def test_a_stream_makes_the_same_reply_and_meter(stub):
    stub.answer = Answer("Well,  that is\nhard. 你好")
    (whole,) = asked(openai("m", base_url=stub.url))
    (streamed,) = asked(openai("m", base_url=stub.url, stream=True))
    assert streamed.text == whole.text == "Well,  that is\nhard. 你好"
    assert {**streamed.meter, "seconds": 0} == {**whole.meter, "seconds": 0}
    assert stub.calls[1].body["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("ends_at_close", [False, True])
@pytest.mark.parametrize("events", [0, 1, 3])
def test_a_cut_stream_is_cut_off(events, ends_at_close):
    answer = Answer("one two three", cut_after=events, ends_at_close=ends_at_close)
    assert isinstance(failure(answer, stream=True), CutOff)


def test_a_stream_cut_after_its_last_word_is_whole():
    with StubServer(Answer("one two", cut_after=4, ends_at_close=True)) as stub:
        assert asked(openai("m", base_url=stub.url, stream=True))[0].text == "one two"


def test_comments_other_lines_and_foreign_line_ends_in_a_stream():
    events = (
        b": waiting\r\n\r\nevent: message\r\nid: 4\r\n"
        b'data: {"choices":[{"delta":{"role":"assistant"}}]}\r\n\r\n'
        b'data:{"choices":[{"delta":{"content":"Hi"}}]}\r\n\r\n'
        b'data: {"choices":[{"index":0,"delta":{"content":"."},"finish_reason":null}]}\r\n\r\n'
        b"data: [DONE]\r\n\r\n"
    )
    with StubServer(raw(events)) as stub:
        assert asked(openai("m", base_url=stub.url, stream=True))[0].text == "Hi."


@pytest.mark.parametrize(
    ("events", "kind"),
    [
        (b'data: {"error": {"message": "overloaded", "code": 529}}\n\n', BadStatus),
        (b'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: {"err\n\n', CutOff),
        (b"data: nonsense\n\n", Malformed),
        (b"data: [DONE]\n\n", EmptyReply),
        (b'data: {"choices":[{"delta":{"refusal":"no"}}]}\n\ndata: [DONE]\n\n', Refused),
    ],
)
def test_a_stream_that_goes_wrong(events, kind):
    assert type(failure(raw(events), stream=True)) is kind


def test_a_server_that_does_not_stream_is_understood(stub):
    stub.answer = raw(completion(Answer("All at once."), {}))
    assert asked(openai("m", base_url=stub.url, stream=True))[0].text == "All at once."


# Many at once, and letting go


def test_a_thousand_are_in_flight_at_once(stub):
    def script(body):
        return Answer(echo(body), held=True)

    stub.answer = script
    backend = openai("m", base_url=stub.url)
    results = []
    requests = [asking(str(n)) for n in range(1024)]
    thread = threading.Thread(target=lambda: results.extend(backend.complete(requests)))
    thread.start()
    stub.wait_for(1024)
    assert stub.in_flight == 1024
    stub.release()
    thread.join()
    assert [reply.text for reply in results] == [f"[7] {n}" for n in range(1024)]


def test_the_others_wait_for_a_place_and_their_time_starts_afterwards():
    with StubServer(Answer("x", latency=0.05)) as stub:
        backend = openai("m", base_url=stub.url, max_connections=3, timeout_seconds=5)
        results = backend.complete([asking()] * 12)
        assert all(reply.text == "x" for reply in results)
        assert (stub.peak, stub.connections) == (3, 3)
        assert all(reply.meter["seconds"] < 5 for reply in results)


def test_connections_are_kept_from_call_to_call(stub):
    backend = openai("m", base_url=stub.url)
    for _ in range(5):
        asked(backend)
    assert stub.connections == 1


def test_it_can_be_closed_and_used_again_and_serves_several_loops(stub):
    backend = openai("m", base_url=stub.url)

    async def once():
        reply = await backend.complete_async(asking())
        await backend.aclose()
        await backend.aclose()
        return reply.text

    assert [asyncio.run(once()) for _ in range(2)] == ["[7] hello"] * 2
    assert asked(backend)[0].text == "[7] hello"
    assert stub.connections == 3


@pytest.mark.filterwarnings("ignore")  # aiohttp and asyncio say, rightly, that nobody closed it
def test_a_loop_that_was_left_open_is_forgotten(stub):
    backend = openai("m", base_url=stub.url)

    async def once():
        await backend.complete_async(asking())

    asyncio.run(once())
    assert asked(backend)[0].text == "[7] hello"
    gc.collect()
    assert len(backend._pools) == 1


def test_running_out_of_files_says_what_to_do():
    pytest.importorskip("resource")
    with StubServer(Answer("x", latency=0.3)) as stub:
        code = (
            "import resource\n"
            "from empathy_env.backends import Request, openai\n"
            f"backend = openai('m', base_url={stub.url!r})\n"
            "request = Request('speak', ({'role': 'user', 'content': 'hello'},))\n"
            "backend.complete([request])\n"
            "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
            "print(*{str(fault)[-200:] for fault in backend.complete([request] * 60)})"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=HERE.parent,
            capture_output=True,
            text=True,
            check=True,
        )
    assert "ulimit -n" in done.stdout
    assert "max_connections=1024" in done.stdout


def test_a_backend_that_is_dropped_closes_its_connections(stub):
    backend = openai("m", base_url=stub.url)
    asked(backend)
    session = next(iter(backend._pools.values())).session
    del backend
    gc.collect()
    asked(openai("m", base_url=stub.url))  # a round on the same loop
    assert session.closed


@pytest.mark.parametrize("last", ["", "del backend"])
def test_a_program_that_just_ends_leaves_no_warning(stub, last):
    code = (
        "from empathy_env.backends import Request, openai\n"
        f"backend = openai('m', base_url={stub.url!r})\n"
        "message = {'role': 'user', 'content': 'hello'}\n"
        "print(backend.complete([Request('speak', (message,))])[0].text)\n" + last
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=HERE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("[0] hello\n", "", 0)


def test_a_proxy_of_the_environment_counts_but_not_for_this_machine(stub, monkeypatch):
    monkeypatch.setenv("http_proxy", stub.url.removesuffix("/v1"))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert asked(openai("m", base_url="http://far.invalid/v1"))[0].text == "[7] hello"
    assert stub.calls[0].path == "http://far.invalid/v1/chat/completions"
    with StubServer("near") as near:
        assert asked(openai("m", base_url=near.url))[0].text == "near"


def test_it_is_what_the_name_in_the_package_says():
    assert isinstance(openai("m", base_url="http://h/v1"), OpenAIBackend)


def test_importing_the_package_does_not_load_the_library():
    code = "import empathy_env, empathy_env.backends, sys; sys.exit('aiohttp' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=HERE.parent, check=False).returncode == 0
    )
