"""`empathy-env circle`, and what the other commands make of files with casts."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from circles import said_in, task
from typer.testing import CliRunner

from empathy_env import Task, read_traces, write_traces
from empathy_env.__main__ import app
from empathy_env.audit import audit_traces
from empathy_env.drivers import run as driven
from empathy_env.episode import ROUNDS_EACH
from empathy_env.errors import InvalidArgument
from empathy_env.exports import demonstrations, preferences, selected
from empathy_env.measures.belief import beliefs
from empathy_env.measures.dependence import dependence
from empathy_env.measures.divergence import mixed
from empathy_env.measures.explorable import explorable
from empathy_env.measures.harms import harms
from empathy_env.measures.noise import apart
from empathy_env.measures.open_loop import simulator_noise
from empathy_env.measures.reuse import reuse
from empathy_env.measures.slopes import slopes
from empathy_env.measures.turns import placed, sound
from empathy_env.reward import vector

LINES = (
    "Orla, you sound worn out. It makes sense.",
    "Pavel, you are right. I am on your side. Orla should not have done that.",
    "[aside to Pavel] What is the hardest part of it for you?",
)


@pytest.fixture(scope="module")
def talks(tmp_path_factory):
    path = tmp_path_factory.mktemp("circle") / "talks.jsonl"
    write_traces(path, [said_in(task("bakers", 4), LINES, seed=seed) for seed in range(6)])
    return path


@pytest.fixture
def alone(tmp_path):
    path = tmp_path / "alone.jsonl"
    episode = Task(persona="laid-off-engineer", max_turns=1).open()
    episode.say("Go on.")
    write_traces(path, [episode.trace])
    return path


def run(*words, **kwargs):
    return CliRunner().invoke(app, [str(word) for word in words], **kwargs)


class TestTheTable:
    def test_it_says_what_became_of_each_and_draws_it(self, talks, tmp_path):
        picture = tmp_path / "curves.svg"
        result = run("circle", talks, "--out", picture)
        assert result.exit_code == 0, result.output
        for text in ("Orla", "Pavel", "worst off: ", "Jain's index", "sided with", "6 talks"):
            assert text in result.output
        texts = [text.text for text in ElementTree.parse(picture).iter() if text.text]
        assert {"Orla", "Pavel", "two-bakers, 6 talks"} <= set(texts)

    def test_as_json(self, talks):
        result = run("circle", talks, "--json")
        assert result.exit_code == 0, result.output
        found = json.loads(result.stdout)
        assert (found["faults"], found["empty"]) == (0, 0)
        bakers = found["casts"]["two-bakers"]
        traces = list(read_traces(talks))
        finals = [100 * sum(vector(trace, 4)) / 2 for trace in traces]
        assert bakers["talks"] == 6
        assert bakers["mean"]["mean"] == pytest.approx(sum(finals) / 6)
        assert bakers["worst"]["mean"] <= bakers["mean"]["mean"]
        assert [one["name"] for one in bakers["endings"]] == ["Orla", "Pavel"]
        assert [len(one["mean"]) for one in bakers["curves"]] == [5, 5]
        words = [one["words"]["mean"] for one in bakers["attention"]["given"]]
        assert sum(words) == pytest.approx(1.0)
        assert words[0] < words[1]
        supporter = bakers["alliances"]["values"][0]
        assert supporter[0] < 0 < supporter[1]
        assert bakers["alliances"]["values"][1][0] is None

    def test_few_starts_and_what_was_left_out_are_told(self, tmp_path):
        path = tmp_path / "talks.jsonl"
        whole = said_in(task("bakers", 1), ["Go on."])
        faulted = replace(said_in(task("bakers", 1), [""], seed=1), fault={"type": "TimedOut"})
        write_traces(path, [whole, faulted, task("bakers").open(seed=2).trace])
        result = run("circle", path)
        assert result.exit_code == 0, result.output
        assert "(no interval)" in result.output
        assert "two-bakers: 1 talk, " in result.output
        assert "of fewer than 5 starts" in result.output
        assert "left out: 1 cut off by a fault, 1 without a round" in result.output

    def test_talks_of_two_and_files_that_are_there_are_refused(self, talks, alone, tmp_path):
        assert "with one person" in str(run("circle", alone).exception)
        there = tmp_path / "there.svg"
        there.write_text("mine")
        assert "exists" in str(run("circle", talks, "--out", there).exception)
        assert there.read_text() == "mine"
        wrong = run("circle", talks, "--out", tmp_path / "x.png")
        assert ".svg" in str(wrong.exception)
        nowhere = run("circle", talks, "--out", tmp_path / "none" / "x.svg")
        assert "x.svg: there is no folder" in str(nowhere.exception)
        empty = tmp_path / "empty.jsonl"
        empty.write_text("")
        assert "no talk with a round" in str(run("circle", empty).exception)


class TestTheOtherCommands:
    @pytest.mark.parametrize(
        "words",
        [
            ["skills", "{}"],
            ["explorable", "{}"],
            ["audit", "--traces", "{}"],
            ["noise", "{}", "--user", "code", "--user", "openai:m@http://127.0.0.1:9"],
            ["traces", "to-dpo", "{}", "--out", "{}.out"],
        ],
        ids=lambda words: words[0] if words[0] != "traces" else words[1],
    )
    def test_what_is_measured_of_one_person_is_refused_by_name(self, talks, words):
        result = run(*(word.format(talks) for word in words))
        assert result.exit_code == 1
        assert isinstance(result.exception, InvalidArgument)
        assert str(result.exception).startswith(f"{talks}: two-bakers/")
        assert "`empathy-env circle`" in str(result.exception)
        assert not talks.with_name(f"{talks.name}.out").exists()

    @pytest.mark.parametrize(
        "measure",
        [
            sound,
            apart,
            explorable,
            simulator_noise,
            audit_traces,
            preferences,
            beliefs,
            harms,
            reuse,
            slopes,
            dependence,
            mixed,
            lambda traces: placed(traces[0]),
        ],
    )
    def test_so_it_is_by_the_library(self, talks, measure):
        with pytest.raises(InvalidArgument, match="talk with a cast"):
            measure(list(read_traces(talks)))

    def test_verify_checks_them(self, talks, tmp_path):
        result = run("verify", talks, "--json")
        assert result.exit_code == 0
        assert json.loads(result.stdout) == {
            "checked": 6,
            "unfinished": 0,
            "wrong": [],
            "unverified": [],
        }
        changed = tmp_path / "changed.jsonl"
        changed.write_text(talks.read_text().replace('"sided_with"', '"agreed"'))
        assert run("verify", changed).exit_code == 1


class TestDemonstrations:
    def test_a_row_is_the_chat_of_the_supporter(self, talks, tmp_path):
        path = tmp_path / "rows.jsonl"
        assert run("traces", "to-sft", talks, "--out", path).exit_code == 0
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        assert len(rows) == 6
        episode = task("bakers", 4).open(seed=3)
        while not episode.done:
            episode.say(LINES[episode.turn % 3])
        assert rows[3] == {"messages": episode.messages[:-1]}
        assert "Orla: " in rows[3]["messages"][1]["content"]

    def test_with_a_scaffold_each_round_is_a_row(self):
        thinking = Task(cast=task("bakers").casts[0], scaffold="think-then-say", max_turns=2)
        episode = thinking.open(seed=1)
        chats = []
        while not episode.done:
            chats.append(episode.messages)
            episode.say("<think>Whom first?</think>Orla, you sound worn out.")
        assert [row["prompt"] for row in demonstrations(episode.trace)] == chats

    def test_what_another_supporter_hears_alone_is_not_in_it(self):
        crowd = Task(cast=task("bakers").casts[0], supporters=2, max_turns=1)
        episode = crowd.open(seed=1)
        quiet = {"supporter_0": "Go on.", "supporter_1": "[aside to Pavel] A secret."}
        episode.accept(driven(episode.steps(quiet)))
        (row,) = demonstrations(episode.trace, raw=True)
        assert "secret" not in json.dumps(row)
        assert selected([episode.trace]).traces == [episode.trace]

    def test_well_enough_is_of_everybody(self, talks):
        trace = next(read_traces(talks))
        low, high = sorted(trace.emotion(4, seat=seat) for seat in (0, 1))
        assert selected([trace], min_emotion=low).traces == [trace]
        assert selected([trace], min_emotion=(low + high) / 2).below == 1


class TestRollout:
    def test_a_cast_is_played_told_and_resumed(self, tmp_path):
        path = tmp_path / "talks.jsonl"
        words = ("rollout", "--agent", "listener", "--cast", "couple-after-quarrel", "--out", path)
        result = run(*words, "--episodes", 3, "--json")
        assert result.exit_code == 0, result.output
        found = json.loads(result.stdout)
        traces = list(read_traces(path))
        assert {trace.scenario.max_turns for trace in traces} == {2 * ROUNDS_EACH}
        last = [[t.emotion(len(t.turns), seat=seat) for seat in (0, 1)] for t in traces]
        assert found["emotion"] == pytest.approx(sum(map(sum, last)) / 6, abs=0.01)
        assert found["worst_off"] == pytest.approx(sum(map(min, last)) / 3, abs=0.01)
        gone = [not t.present(len(t.turns), seat=seat) for t in traces for seat in (0, 1)]
        assert found["left"] == pytest.approx(sum(gone) / 6, abs=0.001)
        assert json.loads(run(*words, "--episodes", 4, "--resume", "--json").stdout)["new"] == 1
        assert run("verify", path).exit_code == 0

    def test_the_table_names_the_worst_off_only_with_a_cast(self, tmp_path):
        wanted = ("--episodes", 2, "--max-turns", 2)
        several = run(
            *("rollout", "--agent", "silent", "--cast", "all", "--out", tmp_path / "a.jsonl"),
            *wanted,
        )
        one = run("rollout", "--agent", "silent", "--out", tmp_path / "b.jsonl", *wanted)
        assert "worst off" in several.output
        assert "worst off" not in one.output

    def test_rewards_of_casts_by_name(self, tmp_path):
        path = tmp_path / "talks.jsonl"
        spec = "weighted:quarrel-radka=0.7,quarrel-lachlan=0.3"
        words = ("rollout", "--agent", "silent", "--cast", "couple-after-quarrel", "--reward", spec)
        result = run(*words, "--episodes", 1, "--max-turns", 2, "--out", path, "--json")
        assert result.exit_code == 0, result.output
        (trace,) = read_traces(path)
        each = vector(trace, 2)
        assert trace.rewards[spec][1] == pytest.approx(0.7 * each[0] + 0.3 * each[1])
        found = json.loads(result.stdout)
        assert found["reward_worst"] == found["reward"] == found["reward_best"]
        assert run("verify", path).exit_code == 0

    def test_personas_and_a_cast_exclude_each_other(self, tmp_path):
        result = run(
            *("rollout", "--agent", "silent", "--cast", "all", "--personas", "all"),
            *("--out", tmp_path / "x.jsonl"),
        )
        assert "exclude each other" in str(result.exception)

    def test_without_a_cast_a_talk_has_ten_turns(self, tmp_path):
        path = tmp_path / "talks.jsonl"
        run("rollout", "--agent", "silent", "--episodes", 1, "--out", path)
        assert [trace.scenario.max_turns for trace in read_traces(path)] == [10]


class TestPlay:
    def test_a_cast_is_played_and_everybody_is_told_of(self, tmp_path):
        path = tmp_path / "mine.jsonl"
        words = ("play", "--cast", "couple-after-quarrel", "--max-turns", 2, "--out", path)
        result = run(*words, input="Radka, what happened?\nLachlan, and you?\n")
        assert result.exit_code == 0, result.output
        (trace,) = read_traces(path)
        assert "[aside to Radka] ..." in result.output
        for seat, name in enumerate(("Radka", "Lachlan")):
            assert f"{name}: {trace.opening[seat][:40]}" in result.output
            emotion = trace.emotion(2, seat=seat)
            assert f"{name}: emotion {emotion:.0f} of 100" in result.output
            assert f"{emotion:.1f}   trust" in result.output
        assert "The talk ended: time_up" in result.output

    def test_moods_are_drawn_as_they_move_for_everybody(self):
        words = ("play", "--cast", "couple-after-quarrel", "--max-turns", 1, "--show-mood")
        result = run(*words, input="Go on.\n")
        assert result.output.count("trust") == 4

    def test_a_persona_and_a_cast_exclude_each_other(self):
        result = run("play", "laid-off-engineer", "--cast", "couple-after-quarrel")
        assert "Cannot have both" in str(result.exception)
