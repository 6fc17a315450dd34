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
from empathy_env.exports import demonstration, demonstrations, preferences, selected
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


THINKING = TASK.with_scaffold("think-then-say")
SAID = "That sounds hard. What was it like?"


def thoughtful(*texts, task=THINKING):
    episode = task.open(seed=3)
    for text in texts:
        if not episode.done:
            episode.say(text)
    return episode.trace


def test_with_a_scaffold_each_turn_is_learnt_as_written_after_what_was_heard():
    texts = [f"<think>Thought {number}.</think>{SAID}" for number in range(3)]
    trace = thoughtful(*texts)
    rows = demonstrations(trace)
    assert [row["completion"] for row in rows] == [
        [{"role": "assistant", "content": text}] for text in texts
    ]
    for number, row in enumerate(rows):
        assert row.keys() == {"prompt", "completion"}  # nothing that a loss on all turns would read
        episode = THINKING.open(seed=3)
        for text in texts[:number]:
            episode.say(text)
        assert row["prompt"] == episode.messages


def test_a_malformed_turn_is_no_target_and_stays_as_it_was_heard():
    right, wrong = f"<think>Right.</think>{SAID}", f"Wrong.</think>{SAID}"
    rows = demonstrations(thoughtful(right, wrong, right))
    assert [row["completion"][0]["content"] for row in rows] == [right, right]
    assert [m["content"] for m in rows[1]["prompt"] if m["role"] == "assistant"] == [SAID, SAID]


def test_silence_is_never_learnt():
    right, silent = f"<think>Right.</think>{SAID}", "<think>Never closed."
    trace = thoughtful(right, silent, right, silent)
    assert [row["completion"][0]["content"] for row in demonstrations(trace)] == [right, right]
    (row,) = demonstrations(trace, raw=False)
    roles = [message["role"] for message in row["messages"]]
    assert roles == ["system", "user", "assistant", "user", "assistant"]
    assert all(message["content"].strip() for message in row["messages"])
    between = row["messages"][3]["content"]
    assert between == "\n".join(a.reply for turn in trace.turns[:2] for a in turn.answers)
    assert demonstrations(thoughtful(silent, silent), raw=False) == []
    mute = thoughtful("", SAID, task=TASK)
    assert len(demonstrations(mute, raw=True)) == 1


def test_what_was_heard_can_be_learnt_instead_without_the_scaffolds_instructions():
    trace = thoughtful(*[f"<think>Thought.</think>{SAID}"] * 2)
    (row,) = demonstrations(trace, raw=False)
    plain = TASK.open(seed=3)
    plain.say(SAID)
    assert row["messages"] == [*plain.messages, {"role": "assistant", "content": SAID}]
    assert row == demonstration(trace)


def test_a_plain_talk_is_one_row_unless_what_was_written_is_wanted():
    trace = thoughtful(SAID, SAID, task=TASK)
    assert demonstrations(trace) == [demonstration(trace)]
    assert len(demonstrations(trace, raw=True)) == 2


def test_a_better_turn_that_was_malformed_is_not_preferred():
    rude = "<think>x</think>You brought this on yourself."
    warm = thoughtful(*[f"Unopened.</think>{SAID}"] * 5)
    cold = thoughtful(*[rude] * 5)
    assert preferences([warm, cold], margin=0.01) == []
    (row,) = preferences([warm, cold], margin=0.01, raw=False)
    assert row["chosen"] == [{"role": "assistant", "content": SAID}]


def test_talks_that_the_user_took_apart_prefer_nothing():
    """Two models as users may answer the same words otherwise: that is no choice of the agent."""
    one = thoughtful(*[f"<think>x</think>{SAID}"] * 5)
    answer = one.turns[0].answers[0]._replace(reply="Go away.")
    later = replace(one.turns[1], raw="Well.", heard="Well.")
    turns = (replace(one.turns[0], answers=(answer,)), later, *one.turns[2:])
    other = replace(one, turns=turns, rewards={"terminal": (0.0,) * 5})
    assert preferences([one, other], margin=0.01) == []
    same = replace(one, rewards={"terminal": (0.0,) * 5})
    assert preferences([one, same], margin=0.01) == []


def test_talks_that_differ_in_thoughts_alone_prefer_nothing_there():
    one = thoughtful("<think>a</think>" + SAID, *["<think>x</think>" + SAID] * 4)
    rude = "<think>x</think>You brought this on yourself."
    other = thoughtful("<think>b</think>" + SAID, *[rude] * 4)
    (row,) = preferences([one, other], margin=0.01)
    assert row["chosen"][0]["content"] == "<think>x</think>" + SAID
    assert len(row["prompt"]) == 4


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
    raw = call("traces", "to-sft", good, bad, "--out", out["to-sft"], "--agent-raw")
    assert raw.exit_code == 0
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


def test_the_command_counts_the_turns_that_were_malformed(tmp_path):
    path = tmp_path / "talks.jsonl"
    write_traces(path, [thoughtful(*[f"<think>x</think>{SAID}", SAID] * 2, SAID)])
    for flags, rows, malformed in (
        ((), 2, 3),
        (("--agent-raw",), 2, 3),
        (("--agent-heard",), 1, 0),
    ):
        out = tmp_path / f"rows{len(flags)}{malformed}.jsonl"
        done = call("traces", "to-sft", path, "--out", out, "--json", *flags)
        found = json.loads(done.stdout)
        assert (found["rows"], found["malformed_turns"]) == (rows, malformed)
        out.unlink()
    printed = call("traces", "to-sft", path, "--out", tmp_path / "more.jsonl").output
    assert "left out as malformed: 3 turns" in printed


def test_rows_of_two_forms_are_not_mixed_in_one_file(tmp_path):
    path, out = tmp_path / "talks.jsonl", tmp_path / "rows.jsonl"
    thought = thoughtful(*[f"<think>x</think>{SAID}"] * 5)
    write_traces(path, [thought, thoughtful(*[SAID] * 5, task=TASK)])
    with pytest.raises(InvalidArgument, match="--agent-raw or --agent-heard"):
        call("traces", "to-sft", path, "--out", out)
    assert call("traces", "to-sft", path, "--out", out, "--agent-heard").exit_code == 0
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [row.keys() for row in rows] == [{"messages"}] * 2


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
