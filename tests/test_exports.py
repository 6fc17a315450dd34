"""Data sets hold what an agent saw and said, of talks that have a value, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from empathy_env import Task, load_agent, rollouts, write_traces
from empathy_env.__main__ import app
from empathy_env.acts import NEEDS
from empathy_env.agents import Agent
from empathy_env.errors import InvalidArgument
from empathy_env.exports import demonstration, preferences, selected
from empathy_env.rollout import play
from empathy_env.trace import read_traces

runner = CliRunner()
TASK = Task(personas="split:dev", max_turns=5)


def talks(name, count=6, task=TASK):
    return list(rollouts(task, load_agent(name), [task.scenario(seed) for seed in range(count)]))


GOOD, BAD = talks("oracle"), talks("advisor")


def call(*args):
    return runner.invoke(app, [str(arg) for arg in args], catch_exceptions=False)


def agent_saying(*lines):
    return Agent("fixed", "", False, lambda messages, rng: lines[len(messages) // 2 - 1])


def test_a_demonstration_is_the_chat_up_to_the_agents_last_words():
    episode = TASK.open(seed=3)
    while not episode.done:
        before = episode.messages
        episode.say("That sounds hard. What was it like?")
    said = {"role": "assistant", "content": "That sounds hard. What was it like?"}
    assert demonstration(episode.trace) == {"messages": [*before, said]}


def test_thoughts_are_in_it_only_if_they_are_asked_for():
    raw = "<think>She is ashamed.</think>What was it like?"
    trace = GOOD[0].prefix(1)
    heard = trace.turns[0].heard
    thoughtful = replace(trace, turns=(replace(trace.turns[0], raw=raw),))
    assert demonstration(thoughtful)["messages"][-1]["content"] == heard
    assert demonstration(thoughtful, raw=True)["messages"][-1]["content"] == raw


def test_without_a_value_a_talk_is_left_out_and_counted():
    faulted = replace(GOOD[0], fault={"type": "TimedOut", "message": "no answer"})
    unfinished = GOOD[0].prefix(1)
    found = selected([*GOOD, faulted, unfinished])
    assert found == (GOOD, 1, 1, 0)


def test_only_talks_that_came_out_well_enough_are_taken():
    left = play(TASK, agent_saying("I have to go now. Goodbye."), TASK.scenario(1))
    assert left.outcome == "left"
    finals = sorted(trace.emotion(len(trace.turns)) for trace in GOOD)
    assert len(selected(GOOD, min_emotion=finals[2]).traces) == 4
    assert selected(GOOD, min_emotion=finals[2]).below == 2
    assert selected([left], min_emotion=1.0).below == 1
    assert selected([left]).traces == [left]
    success = [trace for trace in GOOD if trace.outcome == "success"]
    assert selected([*GOOD, *BAD], success=True).traces == success
    with pytest.raises(InvalidArgument, match="min_emotion=101"):
        selected(GOOD, min_emotion=101)


def test_a_preference_is_what_was_said_where_the_talks_went_apart():
    same = "That sounds hard. What was it like?"
    warm = play(TASK, agent_saying(same, same, *[same] * 3), TASK.scenario(1))
    rude = play(TASK, agent_saying(same, *["You brought this on yourself."] * 4), TASK.scenario(1))
    (row,) = preferences([rude, warm], margin=0.01)
    assert row["prompt"] == demonstration(warm)["messages"][:4]
    assert [message["role"] for message in row["prompt"]] == ["system", "user", "assistant", "user"]
    assert row["chosen"] == [{"role": "assistant", "content": same}]
    assert row["rejected"] == [{"role": "assistant", "content": "You brought this on yourself."}]


def test_a_preference_is_of_one_start_and_of_a_difference_that_counts():
    rows = preferences([*GOOD, *BAD], margin=0.05)
    assert rows
    openings = {tuple(trace.opening) for trace in GOOD}
    assert {(row["prompt"][1]["content"],) for row in rows} <= openings
    assert len(preferences([*GOOD, *BAD], margin=0.9)) < len(rows)
    assert preferences([*GOOD[:1], *BAD[1:2]], margin=0.05) == []
    assert preferences(GOOD, margin=0.05) == []
    assert preferences([GOOD[0], replace(GOOD[0], agent="twin")], margin=0.05) == []
    with pytest.raises(InvalidArgument, match="margin=0"):
        preferences(GOOD, margin=0)


def test_members_of_a_group_are_compared():
    members = [replace(trace, scenario=replace(trace.scenario, member=1)) for trace in BAD]
    assert preferences([*GOOD, *members]) == preferences([*GOOD, *BAD])


def test_nothing_hidden_is_in_a_data_set(tmp_path):
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    write_traces(good, GOOD)
    write_traces(bad, BAD)
    out = {name: tmp_path / f"{name}.out" for name in ("to-sft", "to-dpo")}
    assert call("traces", "to-sft", good, bad, "--out", out["to-sft"], "--agent-raw").exit_code == 0
    assert call("traces", "to-dpo", good, bad, "--out", out["to-dpo"]).exit_code == 0
    for path in out.values():
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        assert rows
        for row in rows:
            lists = row.values()
            assert all(message.keys() == {"role", "content"} for one in lists for message in one)
        text = path.read_text("utf-8")
        assert not [need for need in NEEDS if need in text]
        assert not [word for word in ('"mood"', "emotion", '"trust"', "strain") if word in text]
        for trace in GOOD:
            persona, ledger = trace.scenario.persona, trace.ledger()
            other = next(one for one in BAD if one.id == trace.id).ledger()
            untold = [
                fact.text
                for fact in (*persona.facts, *trace.scenario.variant.facts)
                if ledger[fact.id] == other[fact.id] == "never"
            ]
            sheet = [persona.happened, persona.identity.background, *untold]
            assert not [line for line in sheet if line and line in text]


def test_the_commands_count_what_they_write_and_overwrite_nothing(tmp_path):
    path, out = tmp_path / "talks.jsonl", tmp_path / "rows.jsonl"
    write_traces(path, [*GOOD, replace(BAD[0], fault={"type": "TimedOut", "message": "no"})])
    finals = sorted(trace.emotion(len(trace.turns)) for trace in GOOD)
    args = ("traces", "to-sft", path, "--min-emotion", finals[1], "--out")
    found = json.loads(call(*args, out, "--json").stdout)
    assert (found["rows"], found["talks"], found["out"]) == (5, 5, str(out))
    assert (found["faulted"], found["unfinished"], found["below"]) == (1, 0, 1)
    assert len(out.read_text("utf-8").splitlines()) == 5
    assert "1 that ended in a fault" in call(*args, tmp_path / "again.jsonl").output
    with pytest.raises(InvalidArgument, match="exists"):
        call(*args, out)
    assert len(list(read_traces(path))) == 7
