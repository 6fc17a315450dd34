"""Whole episodes with a real model as the user, in each of its parts, and as the agent.

A model of 135 million parameters is no persona; what is tested is that everything around it holds.
"""

from __future__ import annotations

import pytest

from empathy_env import Agent, Task, play, read_traces, verify
from empathy_env.backends import openai, recording, replay, retrying
from empathy_env.rollout import record


def smol(url):
    """The model, at a temperature at which it varies; short replies, as a talk has them."""
    options = {"temperature": 0.7, "max_tokens": 120, "timeout_seconds": 600}
    return retrying(openai("smol", base_url=url, name="smol", **options))


def records(traces):
    """Return the records by episode, in bytes."""
    return sorted(trace.to_json().split(',"meter":')[0] for trace in traces)


@pytest.mark.parametrize("parts", [{}, {"protocol": "sage-2025"}], ids=["ours", "published"])
def test_recorded_episodes_replay_to_the_same_records_and_verify(llama_url, tmp_path, parts):
    tape, live = tmp_path / "tape.jsonl", tmp_path / "live.jsonl"

    def played(user, path):
        task = Task(persona="laid-off-engineer", max_turns=2, user=user, **parts)
        scenarios = [task.scenario(seed) for seed in range(2)]
        agent = Agent("asks", "", False, lambda messages, rng: "What was that like for you?")
        return list(record(path, task, agent, scenarios, concurrency=2))

    first = played(recording(smol(llama_url), tape), live)
    assert len(first) == 2
    for trace in first:
        assert trace.outcome or trace.fault
        assert verify(trace).consistent, verify(trace).mismatch
        assert trace.meter["requests"] >= 1
    again = played(replay(tape), tmp_path / "again.jsonl")
    assert records(again) == records(first) == records(read_traces(live))


def test_the_model_as_the_agent_talks_to_the_end(llama_url):
    task = Task(persona="laid-off-engineer", max_turns=3)
    agent = Agent.asking(smol(llama_url))
    scenario = task.scenario(1)
    trace = play(task, agent, scenario)
    assert trace.outcome
    assert len(trace.turns) <= 3
    assert all(turn.heard.strip() for turn in trace.turns)
    assert trace.meter["agent_completion_tokens"] > 0
    assert verify(trace).consistent
