"""The same model behind vLLM: that its API is what the backend takes it to be."""

from __future__ import annotations

import json

import pytest
from vllm_server import vllm_served

from empathy_env.backends import Request, openai
from empathy_env.errors import CutOff, RequestRejected

CAPITAL = ({"role": "user", "content": "Which city is the capital of France?"},)
ESSAY = ({"role": "user", "content": "Write an essay on the history of Rome."},)
LONG = ({"role": "user", "content": "one two three " * 2048},)
FORM = {
    "type": "object",
    "properties": {"feeling": {"type": "string", "enum": ["sad", "glad"]}},
    "required": ["feeling"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def vllm_url(smollm_folder, tmp_path_factory):
    with vllm_served(smollm_folder, tmp_path_factory.mktemp("vllm") / "server.log") as url:
        yield url


def smol(url, **options):
    """The backend; how long an answer takes on a busy machine is no matter here."""
    return openai("smol", base_url=url, timeout_seconds=600, **options)


def test_a_talk_is_answered_with_what_it_cost(vllm_url):
    [reply] = smol(vllm_url, temperature=0).complete([Request("ask", CAPITAL)])
    assert "Paris" in reply.text
    assert reply.meter["prompt_tokens"] > reply.meter["completion_tokens"] > 0


def test_a_reply_has_the_form_that_was_asked_for(vllm_url):
    backend = smol(vllm_url, temperature=1, max_tokens=200)
    replies = backend.complete([Request("appraise", CAPITAL, FORM, seed) for seed in range(8)])
    assert all(json.loads(reply.text)["feeling"] in ("sad", "glad") for reply in replies)
    assert [reply.meter["as_schema"] for reply in replies] == [1.0] * 8


def test_a_reply_follows_its_requests_seed(vllm_url):
    backend = smol(vllm_url, temperature=1, max_tokens=200)
    first, again, other = (
        str(getattr(backend.complete([Request("ask", CAPITAL, FORM, seed)])[0], "text", seed))
        for seed in (1, 1, 2)
    )
    assert first == again
    assert json.loads(other)["feeling"] in ("sad", "glad")


def test_what_is_cut_or_too_long_is_a_fault_of_that_request_alone(vllm_url):
    backend = smol(vllm_url, temperature=0, max_tokens=20)
    whole, cut, refused = backend.complete(
        [Request("ask", talk) for talk in (CAPITAL, ESSAY, LONG)]
    )
    assert "Paris" in whole.text
    assert isinstance(cut, CutOff)
    assert isinstance(refused, RequestRejected)
    assert "2048" in str(refused)
