import asyncio
import gc
import json
import subprocess
import sys
import threading
import traceback

import pytest
from chat import KEY, ROOT, asked, asking, failure, talking
from stub_server import (
    DROP,
    Answer,
    StubServer,
    completion,
    echo,
    failing,
    raw,
)

from empathy_env.backends import OpenAIBackend, openai
from empathy_env.errors import (
    InvalidArgument,
    UnknownName,
)

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
    backend = openai(
        "hf-internal-testing/tiny-random-gpt2",
        base_url="http://host/v1",
        extra_body={"max_completion_tokens": 5, "prompt_cache_key": "a", "skip_special_tokens": 1},
    )
    assert "tiny-random-gpt2" in backend.name


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
            cwd=ROOT,
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
        cwd=ROOT,
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
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
