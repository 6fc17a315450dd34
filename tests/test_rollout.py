"""Rollouts: concurrency changes nothing, and a killed one loses only what was not finished."""

from __future__ import annotations

import pytest

from empathy_env import Task, load_agent, play, read_traces, rollouts, verify
from empathy_env.errors import InvalidArgument
from empathy_env.rollout import record
from empathy_env.trace import read_lines

TASK = Task(personas="split:dev", max_turns=4)
AGENT = load_agent("listener")
WANTED = [TASK.scenario(seed) for seed in range(12)]


def by_id(traces):
    return {trace.id: trace.to_json() for trace in traces}


def test_concurrency_changes_nothing_but_the_order():
    alone = by_id(play(TASK, AGENT, scenario) for scenario in WANTED)
    for concurrency in (1, 5, 64):
        assert by_id(rollouts(TASK, AGENT, WANTED, concurrency=concurrency)) == alone


def test_traces_name_their_agent_and_verify():
    for trace in rollouts(TASK, AGENT, WANTED[:3]):
        assert trace.agent == "listener"
        assert verify(trace).consistent


def test_concurrency_below_one_is_refused():
    with pytest.raises(InvalidArgument, match="concurrency=0"):
        list(rollouts(TASK, AGENT, WANTED, concurrency=0))


def test_an_existing_file_is_not_touched_without_resume(tmp_path):
    path = tmp_path / "talks.jsonl"
    path.write_text("precious\n")
    with pytest.raises(InvalidArgument, match="resume"):
        list(record(path, TASK, AGENT, WANTED))
    assert path.read_text() == "precious\n"


@pytest.mark.parametrize("kept", [0, 1, 5])
@pytest.mark.parametrize("torn", [b"", b'{"format":"empathy-env/tr'])
def test_resume_completes_the_rest_with_identical_records(tmp_path, kept, torn):
    whole = tmp_path / "whole.jsonl"
    list(record(whole, TASK, AGENT, WANTED, concurrency=4))
    killed = tmp_path / "killed.jsonl"
    lines = whole.read_bytes().splitlines(keepends=True)
    killed.write_bytes(b"".join(lines[:kept]) + torn)
    new = list(record(killed, TASK, AGENT, WANTED, concurrency=3, resume=True))
    assert len(new) == len(WANTED) - kept
    assert by_id(read_traces(killed)) == by_id(read_traces(whole))
    assert read_lines(killed).problems == []


def test_each_finished_episode_is_in_the_file_at_once(tmp_path):
    path = tmp_path / "talks.jsonl"
    for number, _ in enumerate(record(path, TASK, AGENT, WANTED[:3]), start=1):
        assert len(read_lines(path).lines) == number


@pytest.mark.parametrize(
    ("task", "agent"),
    [
        (Task(personas="split:dev", max_turns=4, reward="delta"), "listener"),
        (Task(personas="split:dev", max_turns=4, system_prompt=None), "listener"),
        (Task(personas="split:dev", max_turns=5), "listener"),
        (Task(personas="split:dev", max_turns=4, difficulty="severe"), "listener"),
        (TASK, "silent"),
    ],
)
def test_resuming_with_another_configuration_is_refused(tmp_path, task, agent):
    path = tmp_path / "talks.jsonl"
    list(record(path, TASK, AGENT, WANTED[:2]))
    before = path.read_bytes()
    wanted = [task.scenario(seed) for seed in range(2)]
    with pytest.raises(InvalidArgument, match="another configuration"):
        list(record(path, task, load_agent(agent), wanted, resume=True))
    assert path.read_bytes() == before


def test_a_broken_line_in_the_middle_is_not_papered_over(tmp_path):
    path = tmp_path / "talks.jsonl"
    list(record(path, TASK, AGENT, WANTED[:2]))
    path.write_bytes(b"not json\n" + path.read_bytes())
    with pytest.raises(InvalidArgument, match="cannot be resumed"):
        list(record(path, TASK, AGENT, WANTED, resume=True))
