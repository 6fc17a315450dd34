"""These run where litellm is installed; without it only the error that names the extra is tested."""

import os
import subprocess
import sys
import traceback
from importlib.util import find_spec
from pathlib import Path

import pytest
from stub_server import DROP, HELD, Answer, StubServer, echo, failing, knowing, raw

import empathy_env.backends
from empathy_env.backends import Request, load_backend
from empathy_env.errors import (
    BadStatus,
    EmptyReply,
    Fault,
    InvalidArgument,
    LimitReached,
    Malformed,
    MissingExtra,
    Refused,
    RequestRejected,
    TimedOut,
    Unreachable,
)
from empathy_env.messages import from_user

KEY = "fake-0123456789-do-not-show"
SCHEMA = {"type": "object", "properties": {"a": {"type": "number"}}}
ROOT = Path(empathy_env.backends.__file__).parents[2]
installed = pytest.mark.skipif(find_spec("litellm") is None, reason="litellm is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # litellm warns a lot; as errors they break it


def library():
    """Return the function, or skip."""
    pytest.importorskip("litellm")
    return empathy_env.backends.litellm


@pytest.fixture
def stub(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with StubServer(echo) as server:
        yield server


def asked(stub, request=None, **options):
    options["options"] = {"api_base": stub.url} | options.pop("more", {})
    backend = library()("openai/smol", **options)
    (answer,) = backend.complete([request or asking()])
    return answer


def asking(schema=None):
    return Request("speak", (from_user("hello"),), schema, seed=7)


@pytest.mark.skipif(find_spec("litellm") is not None, reason="litellm is installed")
def test_without_the_library_the_extra_is_named():
    with pytest.raises(MissingExtra, match=r"litellm\(\) needs .*'empathy-env\[litellm\]'"):
        _ = empathy_env.backends.litellm
    with pytest.raises(MissingExtra, match=r"empathy-env\[litellm\]"):
        load_backend("litellm:anthropic/claude")


@installed
def test_the_request_goes_out_with_its_options(stub):
    reply = asked(stub, temperature=0.5, max_tokens=9, more={"top_k": 3})
    assert reply.text == "[7] hello"
    body = stub.calls[0].body
    assert (body["model"], body["seed"], body["temperature"]) == ("smol", 7, 0.5)
    assert (body["max_tokens"], body["top_k"]) == (9, 3)
    assert stub.calls[0].headers["authorization"] == f"Bearer {KEY}"


@installed
def test_the_meter_counts(stub):
    stub.answer = Answer("one two", usage={
        "prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110,
        "prompt_tokens_details": {"cached_tokens": 60},
    })  # fmt: skip
    meter = dict(asked(stub).meter)
    assert meter.pop("seconds") > 0
    assert meter == {
        "requests": 1, "prompt_tokens": 100, "cached_tokens": 60, "completion_tokens": 10
    }  # fmt: skip


@installed
def test_a_known_model_has_its_price(stub):
    backend = library()("openai/gpt-4o-mini", options={"api_base": stub.url})
    (reply,) = backend.complete([asking()])
    assert reply.meter["cost"] > 0


@installed
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (failing(400, "too long"), RequestRejected),
        (failing(401), BadStatus),
        (failing(404), BadStatus),
        (failing(422), RequestRejected),
        (failing(429), BadStatus),
        (failing(500), BadStatus),
        (failing(503), BadStatus),
        (DROP, Unreachable),
        (HELD, TimedOut),
        (Answer(finish="length"), LimitReached),
        (Answer(finish="content_filter"), Refused),
        (Answer(None, message={"refusal": "no"}), Refused),
        (Answer(""), EmptyReply),
        (raw({"choices": []}), Malformed),
        (raw(b"nonsense"), BadStatus),
    ],
)
def test_each_failure_is_its_own_fault_and_is_tried_once(stub, answer, kind):
    stub.answer = answer
    fault = asked(stub, timeout_seconds=0.5 if answer is HELD else 60)
    assert type(fault) is kind, repr(fault)
    assert len(stub.calls) == 1


@installed
def test_nobody_listens(stub):
    assert isinstance(asked(stub, more={"api_base": "http://127.0.0.1:1/v1"}), Unreachable)


@installed
def test_the_server_says_when_to_come_back(stub):
    stub.answer = failing(429, headers={"Retry-After": "3"})
    fault = asked(stub)
    assert (fault.status, fault.retry_after, fault.transient) == (429, 3.0, True)


@installed
@pytest.mark.parametrize(
    ("knows", "requests", "meter"),
    [("json_schema", 1, "as_schema"), ("json_object", 2, "as_json"), (None, 3, "as_text")],
)
def test_a_server_that_lacks_a_form_is_asked_in_a_freer_one(stub, knows, requests, meter):
    stub.answer = knowing(knows, "Fine.")
    backend = library()("openai/smol", options={"api_base": stub.url})
    first, second = (backend.complete([asking(SCHEMA)])[0] for _ in range(2))
    assert (first.text, first.meter["requests"], first.meter[meter]) == ("Fine.", requests, 1)
    assert second.meter["requests"] == 1


@installed
def test_another_error_does_not_change_the_form(stub):
    stub.answer = failing(400, "too long")
    assert isinstance(asked(stub, asking(SCHEMA)), RequestRejected)
    assert len(stub.calls) == 1


@installed
def test_a_server_that_repeats_the_key_does_not_spread_it(stub):
    for status in (400, 401, 429, 500):
        stub.answer = failing(status, f"bad key {KEY}")
        fault = asked(stub)
        assert isinstance(fault, Fault)
        assert KEY not in "".join(traceback.format_exception(fault)) + repr(fault)


@installed
@pytest.mark.parametrize(
    "arguments",
    [
        {"options": {"api_key": "hunter22"}},
        {"options": {"aws_secret_access_key": "hunter22"}},
        {"options": {"azure_ad_token": "hunter22"}},
        {"options": {"api_base": "http://me:hunter22@host/v1"}},
        {"options": {"extra_headers": {"Authorization": "hunter22"}}},
        {"name": "sk-hunter22hunter22hunter22"},
        {"options": {"max_retries": 3}},
        {"options": {"messages": []}},
        {"timeout_seconds": 0},
        {"temperature": -1},
        {"form": "schme"},
    ],
)
def test_a_wrong_argument_is_refused(arguments):
    with pytest.raises(InvalidArgument) as caught:
        library()("openai/smol", **arguments)
    assert "hunter" not in str(caught.value)


@installed
def test_the_name_says_what_decides_the_reply():
    make = library()
    assert load_backend("litellm:openai/smol").name == make("openai/smol").name
    backend = make("openai/smol", temperature=0.5, options={"api_base": "http://h/v1/"})
    assert backend.name == 'litellm:openai/smol temperature=0.5 {"api_base":"http://h/v1"}'
    assert repr(backend) == f"LiteLLMBackend({backend.name!r})"
    assert make("openai/smol", name="mine").name == "mine"


@installed
def test_a_provider_without_seeds_gets_none():
    backend = library()("anthropic/claude-sonnet-4-5")
    assert "seed=False" in backend.name


@installed
def test_importing_it_downloads_and_prints_nothing():
    code = (
        "import socket\n"
        "def refuse(*a, **k): raise SystemExit(f'network: {a}')\n"
        "socket.getaddrinfo = socket.socket.connect = refuse\n"
        "import empathy_env.backends.litellm_models"
    )
    environment = {key: os.environ[key] for key in os.environ if not key.startswith("LITELLM")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
