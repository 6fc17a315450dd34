"""The command line, as a person uses it."""

from __future__ import annotations

import json
import re
import sys

import pytest
from typer.testing import CliRunner

from empathy_env import __version__, read_traces
from empathy_env.__main__ import DEMO_AGENTS, app, main
from empathy_env.errors import InvalidArgument
from empathy_env.library import content_dir, load_cells

runner = CliRunner()


def call(*args, **kwargs):
    return runner.invoke(app, [str(arg) for arg in args], catch_exceptions=False, **kwargs)


@pytest.mark.parametrize(
    "command",
    [
        *[(), ("demo",), ("play",), ("rollout",), ("verify",), ("agent", "list")],
        *[("persona", "list"), ("explorable",), ("skills",), ("audit",), ("noise",), ("circle",)],
        *[("ceiling",), ("score",)],
    ],
)
def test_every_command_has_help(command):
    result = call(*command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.output


def test_a_reward_of_ones_own_is_found_where_one_stands(tmp_path, monkeypatch):
    (tmp_path / "fine_or_not.py").write_text("def half(trace, turn):\n    return 0.5\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])
    options = ["--episodes", "2", "--max-turns", "2", "--out", "talks.jsonl", "--json"]
    given = ["rollout", "--agent", "silent", "--reward", "fine_or_not:half", *options]
    monkeypatch.setattr(sys, "argv", ["empathy-env", *given])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    (weights,) = {tuple(trace.weights) for trace in read_traces("talks.jsonl")}
    assert weights == ("fine_or_not:half",)
    said = " ".join(call("verify", "talks.jsonl").output.split())
    assert "--reward fine_or_not:half" in said


def test_version():
    assert call("--version").output.strip() == __version__


def test_demo_compares_five_agents_and_says_what_next(tmp_path):
    folder = tmp_path / "demo"
    result = call("demo", "--out", folder, "--personas", "split:dev tag:work")
    assert result.exit_code == 0
    assert all(name in result.output for name in DEMO_AGENTS)
    assert "Try next" in result.output
    assert {path.stem for path in folder.glob("*.jsonl")} == set(DEMO_AGENTS)
    checked = call("verify", *folder.glob("*.jsonl"), "--json")
    assert checked.exit_code == 0
    found = json.loads(checked.stdout)
    assert found["wrong"] == []
    assert found["unverified"] == []
    assert found["checked"] == 5 * len(load_cells("split:dev tag:work"))


def test_rollout_writes_resumes_and_reports(tmp_path):
    path = tmp_path / "talks.jsonl"
    args = ("rollout", "--agent", "advisor", "--out", path, "--episodes", 5, "--json")
    first = json.loads(call(*args).stdout)
    assert (first["new"], first["episodes"], first["agent"]) == (5, 5, "advisor")
    again = json.loads(call(*args, "--resume").stdout)
    assert (again["new"], again["emotion"]) == (0, first["emotion"])
    assert len(list(read_traces(path))) == 5


def test_verify_fails_on_a_changed_trace_and_on_a_torn_line(tmp_path):
    path = tmp_path / "talks.jsonl"
    call("rollout", "--agent", "silent", "--out", path, "--episodes", 2)
    text = path.read_text()
    path.write_text(text.replace('"emotion":40.0', '"emotion":90.0', 1))
    result = call("verify", path)
    assert result.exit_code == 1
    assert "digest" in result.output
    path.write_text(text + '{"format"')
    result = call("verify", path, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["checked"] == 2


def test_play_takes_lines_and_tells_the_end(tmp_path):
    path = tmp_path / "mine.jsonl"
    said = "What was it like?\n\nI have to go now. Goodbye.\n"
    result = call("play", "laid-off-engineer", "--show-mood", "--out", path, input=said)
    assert result.exit_code == 0
    assert "The talk ended: left" in result.output
    assert "40.0" in result.output
    (trace,) = read_traces(path)
    assert [turn.heard for turn in trace.turns][:2] == ["What was it like?", ""]
    call("play", "laid-off-engineer", "--out", path, input=said)
    assert len({trace.id for trace in read_traces(path)}) == 2
    assert call("verify", path).exit_code == 0


def test_play_stops_at_the_end_of_input():
    result = call("play", input="Go on.\n")
    assert result.exit_code == 0
    assert "(stopped)" in result.output


def test_play_saves_what_was_said_when_it_is_stopped(tmp_path, monkeypatch):
    path = tmp_path / "mine.jsonl"
    assert call("play", "--out", path, input="Go on.\n").exit_code == 0
    lines = iter(["Go on.", "What was it like?"])

    def said(prompt):
        assert path.exists()
        for line in lines:
            return line
        raise KeyboardInterrupt

    monkeypatch.setattr("empathy_env.__main__.out.input", said)
    result = call("play", "--out", path)
    assert result.exit_code == 0
    assert "(stopped)" in result.output
    assert [len(trace.turns) for trace in read_traces(path)] == [1, 2]


def test_play_takes_invalid_bytes_and_prints_names_as_they_are(tmp_path):
    text = (content_dir("personas") / "laid-off-engineer.yaml").read_text("utf-8")
    (name,) = re.findall(r"^  name: (.+)$", text, re.MULTILINE)
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(f"name: {name}", 'name: "[/bold] [red]Al"', 1))
    saved = tmp_path / "mine.jsonl"
    result = call("play", path, "--out", saved, input=b"caf\xe9 \xff\n")
    assert result.exit_code == 0
    assert "[/bold] [red]Al:" in result.output
    (trace,) = read_traces(saved)
    assert trace.turns[0].heard == "caf\ufffd \ufffd"


def test_play_adds_to_no_broken_file(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text('{"torn')
    with pytest.raises(InvalidArgument, match="cannot be added to"):
        call("play", "--out", path, input="Go on.\n")
    assert path.read_text() == '{"torn'


def test_verify_fails_on_a_file_without_talks_and_on_twins(tmp_path):
    empty, twice = tmp_path / "empty.jsonl", tmp_path / "twice.jsonl"
    empty.write_text("")
    result = call("verify", empty)
    assert result.exit_code == 1
    assert "holds no talk" in result.output
    call("rollout", "--agent", "silent", "--out", twice, "--episodes", 2)
    twice.write_text(twice.read_text() + twice.read_text().splitlines(keepends=True)[0])
    result = call("verify", twice, "--json")
    assert result.exit_code == 1
    (problem,) = json.loads(result.stdout)["wrong"]
    assert "2 times" in problem["problem"]


def test_verify_counts_the_unfinished(tmp_path):
    path = tmp_path / "mine.jsonl"
    call("play", "--out", path, input="Go on.\n")
    result = call("verify", path)
    assert result.exit_code == 0
    assert "unfinished or cut off by a fault: 1" in result.output
    assert json.loads(call("verify", path, "--json").stdout)["unfinished"] == 1


def test_lists_as_tables_and_as_json():
    assert "oracle" in call("agent", "list").output
    assert {row["name"] for row in json.loads(call("agent", "list", "--json").stdout)} >= {"silent"}
    rows = json.loads(call("persona", "list", "split:dev", "--json").stdout)
    assert rows
    assert {split for row in rows for split in row["splits"]} == {"dev"}
    assert "split" in call("persona", "list").output


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["play", "nobody"], "No persona named 'nobody'"),
        (["rollout", "--agent", "listner", "--out", "x.jsonl"], "Did you mean 'listener'"),
        (["verify", "nowhere.jsonl"], "cannot be read"),
        (["persona", "list", "tag:nowhere"], "selects no persona"),
        (["rollout", "--agent", "listener", "--out", "x.jsonl", "--personas", ""], "--personas=''"),
        (["rollout", "--agent", "listener", "--out", "no/x.jsonl"], "no/x.jsonl"),
        (["play", "--out", "no/x.jsonl"], "no/x.jsonl"),
        (["play", "--out", "."], "Is a directory"),
        (["demo", "--out", "file"], "File exists"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_1(args, words, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    monkeypatch.setattr("sys.argv", ["empathy-env", *args])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert words in error


def test_verify_calls_a_reward_of_ones_own_only_if_it_is_named(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_rewards.py").write_text("def short(trace, turn):\n    return -float(turn)\n")
    path = tmp_path / "talks.jsonl"
    args = ("rollout", "--agent", "silent", "--out", path, "--episodes", 2)
    assert call(*args, "--reward", "my_rewards:short").exit_code == 0
    assert json.loads(call("verify", path, "--json").stdout)["unverified"] != []
    named = call("verify", path, "--reward", "my_rewards:short", "--json")
    assert json.loads(named.stdout)["unverified"] == []
