import threading

import pytest
from chat import SCHEMA, asked, asking, failure
from stub_server import (
    Answer,
    StubServer,
    completion,
    echo,
    failing,
    in_turn,
    knowing,
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
)

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
