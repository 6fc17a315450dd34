"""The command line, as a person uses it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from empathy_env import __version__, read_traces
from empathy_env.__main__ import DEMO_AGENTS, app, main

runner = CliRunner()


def call(*args, **kwargs):
    return runner.invoke(app, [str(arg) for arg in args], catch_exceptions=False, **kwargs)


@pytest.mark.parametrize(
    "command",
    [(), ("demo",), ("play",), ("rollout",), ("verify",), ("agent", "list"), ("persona", "list")],
)
def test_every_command_has_help(command):
    result = call(*command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.output


def test_version():
    assert call("--version").output.strip() == __version__


def test_demo_compares_five_agents_and_says_what_next(tmp_path):
    folder = tmp_path / "demo"
    result = call("demo", "--out", folder, "--episodes", 1)
    assert result.exit_code == 0
    assert all(name in result.output for name in DEMO_AGENTS)
    assert "Try next" in result.output
    assert {path.stem for path in folder.glob("*.jsonl")} == set(DEMO_AGENTS)
    checked = call("verify", *folder.glob("*.jsonl"), "--json")
    assert checked.exit_code == 0
    found = json.loads(checked.stdout)
    assert found["wrong"] == []
    assert found["unverified"] == []
    assert found["checked"] == 5 * 24


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


def test_play_stops_at_the_end_of_input():
    result = call("play", input="Go on.\n")
    assert result.exit_code == 0
    assert "(stopped)" in result.output


def test_lists_as_tables_and_as_json():
    assert "oracle" in call("agent", "list").output
    assert {row["name"] for row in json.loads(call("agent", "list", "--json").stdout)} >= {"silent"}
    rows = json.loads(call("persona", "list", "split:dev", "--json").stdout)
    assert rows
    assert {row["split"] for row in rows} == {"dev"}
    assert "split" in call("persona", "list").output


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["play", "nobody"], "No persona named 'nobody'"),
        (["rollout", "--agent", "listner", "--out", "x.jsonl"], "Did you mean 'listener'"),
        (["verify", "nowhere.jsonl"], "cannot be read"),
        (["persona", "list", "split:nowhere"], "selects no persona"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_1(args, words, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["empathy-env", *args])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1
    error = " ".join(capsys.readouterr().err.split())
    assert error.startswith("error: ")
    assert words in error
