"""A server of which 30 % of the answers fail in mixed ways, on real sockets."""

from __future__ import annotations

import json
from collections import Counter
from hashlib import sha256

import pytest
from parts import AskingSpeaker
from stub_server import DROP, HELD, Answer, StubServer, failing, raw

from empathy_env import Task, errors, load_agent, read_traces, verify
from empathy_env.backends import openai, retrying
from empathy_env.rollout import record
from empathy_env.tolerance import FaultBudget

STORM = [
    failing(503, "overloaded"),
    failing(429, "slow down", {"Retry-After": "0"}),
    failing(400, "maximum context length exceeded"),
    failing(401, "no key"),
    DROP,
    HELD,  # until it has timed out
    Answer(cut_after=40),
    raw("<html>Bad Gateway</html>"),
    raw({"choices": []}),
    raw(b"\xff\xfe\x00"),
    Answer(""),
    Answer("Half a sent", finish="length"),
    Answer(None, message={"refusal": "I cannot play that."}),
]
AGENT = load_agent("listener")


def reply(body):
    """What the model says: a function of the request and of nothing else."""
    if "response_format" in body:
        return json.dumps({"evidence": []})
    said = sha256(json.dumps(body).encode()).hexdigest()[:4]
    return f"I do not know what to say to that. It is the {said} time."


class Storm:
    """Lets 3 of 10 requests fail, as a hash of the request says; the second time it answers."""

    def __init__(self):
        self.seen = Counter()
        self.failed = Counter()

    def __call__(self, body):
        number = int(sha256(json.dumps(body).encode()).hexdigest(), 16)
        self.seen[number] += 1
        if number % 10 >= 3 or self.seen[number] > 1:
            return reply(body)
        kind = number // 10 % len(STORM)
        self.failed[kind] += 1
        return STORM[kind]


def played(path, url, wrapped, parts, count):
    """Play against a server and return what is in the file."""
    backend = openai("m", base_url=url, timeout_seconds=1.0, api_key_env=None, name="m")
    task = Task(personas="split:dev", max_turns=3, user=wrapped(backend), **parts)
    scenarios = [task.scenario(seed) for seed in range(count)]
    faults = FaultBudget(1.0)
    traces = list(record(path, task, AGENT, scenarios, concurrency=32, faults=faults))
    assert {trace.id for trace in traces} == {scenario.episode_id for scenario in scenarios}
    assert len(traces) == count
    found = {trace.id: trace for trace in read_traces(path)}
    assert found.keys() == {trace.id for trace in traces}
    return found


def asked_again(call):
    return call.fault or call.purpose.endswith(("-again", "-withheld"))


@pytest.mark.parametrize(
    ("wrapped", "parts", "count"),
    [
        (lambda backend: backend, {"appraiser": "rules", "speaker": AskingSpeaker()}, 150),
        (lambda backend: retrying(backend, first_wait_seconds=0), {}, 60),
    ],
)
def test_each_episode_is_completed_or_a_typed_fault_and_the_completed_are_as_if_nothing_was(
    tmp_path, wrapped, parts, count
):
    with StubServer(reply) as stub:
        clean = played(tmp_path / "clean.jsonl", stub.url, wrapped, parts, count)
    assert not any(trace.fault for trace in clean.values())
    storm = Storm()
    with StubServer(storm) as stub:
        stormy = played(tmp_path / "stormy.jsonl", stub.url, wrapped, parts, count)
    assert len(storm.failed) == len(STORM)
    same = again = 0
    for id, trace in stormy.items():
        assert verify(trace).consistent
        if trace.fault:
            assert issubclass(getattr(errors, trace.fault["type"]), errors.Fault)
            assert trace.fault["message"]
            assert trace.outcome is None
        elif any(asked_again(call) for turn in trace.turns for call in turn.calls):
            again += 1  # with another seed, which the record says
        else:
            assert trace.to_record() == clean[id].to_record()
            same += 1
    faulted = count - same - again
    assert faulted >= 1
    assert same >= count // 10
    if parts:
        assert again == 0
        assert len({trace.fault["type"] for trace in stormy.values() if trace.fault}) >= 6
