"""A real model behind a real server: llama.cpp with SmolLM2-135M, asked over loopback.

First the server alone, by nothing but urllib: what the rest relies on. Then the backend.
"""

from __future__ import annotations

import asyncio
import json
from urllib.error import HTTPError
from urllib.request import Request as Call
from urllib.request import urlopen

import pytest
from llama_server import CONTEXT, served

from empathy_env.backends import Request, openai
from empathy_env.errors import CutOff, RequestRejected, Unreachable

TALK = (
    {"role": "system", "content": "You are kind, and answer in one short sentence."},
    {"role": "user", "content": "My dog died yesterday."},
)
CAPITAL = ({"role": "user", "content": "Which city is the capital of France?"},)
FORM = {
    "type": "object",
    "properties": {
        "feeling": {"enum": ["sad", "glad"]},
        "strength": {"type": "integer", "minimum": 0, "maximum": 5},
    },
    "required": ["feeling", "strength"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "mood", "strict": True, "schema": FORM}}
LONG = ({"role": "user", "content": "one two three " * CONTEXT},)
FRESH = {"cache_prompt": False}
"""What is left in the server's cache from before changes the last bits of the scores."""


def asked(url, messages, **fields):
    """What the server answers, by no code of ours."""
    body = {"model": "smol", "messages": messages, "max_tokens": 40, **fields}
    call = Call(f"{url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "text/json"})
    with urlopen(call) as answer:
        return json.load(answer)


def smol(url, **options):
    """The backend; how long an answer takes on a busy machine is no matter here."""
    return openai("smol", base_url=url, timeout_seconds=600, **options)


def said(answer):
    return answer["choices"][0]["message"]["content"]


def keeps_to_form(text):
    mood = json.loads(text)
    return (
        mood.keys() == {"feeling", "strength"}
        and mood["feeling"] in ("sad", "glad")
        and mood["strength"] in range(6)
    )


def test_the_server_answers_and_counts(llama_url):
    answer = asked(llama_url, CAPITAL, temperature=0)
    assert "Paris" in said(answer)
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"]["prompt_tokens"] > answer["usage"]["completion_tokens"] > 0


def test_the_server_draws_by_the_seed(llama_url):
    first, again, other = (
        said(asked(llama_url, TALK, temperature=1, seed=seed, **FRESH)) for seed in (1, 1, 2)
    )
    assert first == again != other


@pytest.mark.parametrize("seed", range(3))
def test_the_server_holds_the_model_to_a_schema(llama_url, seed):
    answer = asked(
        llama_url, TALK, temperature=1, seed=seed, response_format=FORMAT, max_tokens=300
    )
    assert keeps_to_form(said(answer))


def test_the_server_says_how_long_a_prompt_may_be(llama_url):
    with pytest.raises(HTTPError) as refused:
        asked(llama_url, LONG)
    with refused.value as answer:
        error = json.load(answer)["error"]
    assert (answer.code, error["n_ctx"]) == (400, CONTEXT)


def test_the_backend_answers_with_what_it_cost(llama_url):
    [reply] = smol(llama_url, temperature=0).complete([Request("ask", CAPITAL)])
    assert "Paris" in reply.text
    assert reply.meter["requests"] == 1
    assert reply.meter["prompt_tokens"] > reply.meter["completion_tokens"] > 0
    assert reply.meter["seconds"] > 0


def test_a_reply_follows_its_requests_seed(llama_url):
    backend = smol(llama_url, temperature=1, max_tokens=100, extra_body=FRESH)
    first, again, other = (
        backend.complete([Request("speak", TALK, seed=seed)])[0] for seed in (1, 1, 2)
    )
    assert first.text == again.text != other.text


def test_a_reply_has_the_form_that_was_asked_for(llama_url):
    backend = smol(llama_url, temperature=1, max_tokens=300)
    replies = backend.complete([Request("appraise", TALK, FORM, seed) for seed in range(8)])
    assert all(keeps_to_form(reply.text) for reply in replies)
    assert [reply.meter["as_schema"] for reply in replies] == [1.0] * 8


def test_json_mode_gives_json(llama_url):
    backend = smol(llama_url, temperature=0, form="json")
    mood = ({"role": "user", "content": 'Answer with this JSON and nothing else: {"mood": 3}'},)
    [reply] = backend.complete([Request("appraise", mood, FORM)])
    assert isinstance(json.loads(reply.text), dict)
    assert reply.meter["as_json"] == 1


def test_a_prefix_that_was_sent_before_is_read_from_the_servers_cache(llama_url):
    backend = smol(llama_url, temperature=0)
    long = {"role": "system", "content": "Be brief. " + "You care for people. " * 40}
    talks = [(long, {"role": "user", "content": text}) for text in ("Hello", "What is 2 + 2?")]
    cached = [
        reply.meter.get("cached_tokens", 0)
        for talk in talks
        for reply in backend.complete([Request("speak", talk)])
    ]
    assert cached[0] < 20
    assert cached[1] > 100


def test_more_requests_than_the_server_has_places_for_are_all_answered(llama_url):
    backend = smol(llama_url, temperature=1, max_tokens=300)

    async def all_at_once():
        requests = [Request("appraise", TALK, FORM, seed=seed) for seed in range(32)]
        replies = await asyncio.gather(*map(backend.complete_async, requests))
        await backend.aclose()
        return replies

    replies = asyncio.run(all_at_once())
    assert all(keeps_to_form(reply.text) for reply in replies)
    assert len({reply.text for reply in replies}) > 1


def test_what_the_server_cuts_or_refuses_is_a_fault_of_that_request_alone(llama_url):
    backend = smol(llama_url, temperature=0, max_tokens=20)
    essay = ({"role": "user", "content": "Write an essay on the history of Rome."},)
    whole, cut, refused = backend.complete(
        [Request("ask", CAPITAL), Request("ask", essay), Request("ask", LONG)]
    )
    assert "Paris" in whole.text
    assert isinstance(cut, CutOff)
    assert isinstance(refused, RequestRejected)
    assert str(CONTEXT) in str(refused)


def test_a_server_that_goes_is_unreachable_and_leaves_nothing_behind(smollm_path, tmp_path):
    request = Request("ask", CAPITAL)
    with served(smollm_path, tmp_path / "server.log") as url:
        backend = smol(f"{url}/v1", temperature=0)
        assert "Paris" in backend.complete([request])[0].text
    [fault] = backend.complete([request])
    assert isinstance(fault, Unreachable)
