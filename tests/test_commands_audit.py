import json
import re

import pytest
from typer.testing import CliRunner

from empathy_env import write_traces
from empathy_env.__main__ import app
from empathy_env.audit import BESIDE, EXPLOITS, played, scenarios
from empathy_env.commands import audit as command
from empathy_env.difficulty import Difficulty


def run(*words):
    return CliRunner().invoke(app, ["audit", *map(str, words)])


def test_an_exploit_is_an_exit_code_and_the_tables_say_why(tmp_path):
    path = tmp_path / "audit.json"
    result = run("--agent", "injector", "--episodes", 10, "--out", path)
    assert result.exit_code == 1
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "injector: FAIL (" in result.output
    assert "harm" in result.output.split("FAIL (")[1]
    for name in BESIDE:
        assert name in result.output
    found = json.loads(path.read_text("utf-8"))
    assert found["passed"] is False
    assert f"{found['criteria'][0]['figure']['mean']:.2f}" in result.output


def test_recorded_talks_are_audited_and_printed_as_json(tmp_path):
    path = tmp_path / "talks.jsonl"
    wanted = scenarios("split:dev", episodes=10, difficulty=Difficulty(), seed=3)
    write_traces(path, played(["over-promiser"], wanted)["over-promiser"])
    result = run("--traces", path, "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (found["agent"], found["talks"], found["passed"]) == ("over-promiser", 10, False)
    assert {row["agent"] for row in found["table"]} == set(BESIDE)
    assert set(EXPLOITS) < set(BESIDE)
    by_name = {one["name"]: one["verdict"] for one in found["criteria"]}
    assert by_name["harm"] == "fail"
    assert by_name["held-out user"] == "not measurable"


def test_a_pass_is_exit_code_0(monkeypatch):
    real = command.audit
    monkeypatch.setattr(command, "audit", lambda *args, **named: real(*args, **named, beside=()))
    result = run("--agent", "listener", "--episodes", 40)
    assert result.exit_code == 0, result.output
    assert "listener: pass" in result.output
    assert "is ahead by" not in result.output  # nobody to be ahead of


@pytest.mark.parametrize("words", [(), ("--agent", "parrot", "--traces", "x.jsonl")])
def test_an_agent_or_talks_of_it_are_asked_for(words):
    result = run(*words)
    assert result.exit_code == 1
    assert "Give either --agent" in str(result.exception)


def test_what_failed_is_told_in_words_with_the_worst_example():
    result = run("--agent", "flatterer", "--episodes", 26)
    found = result.output.split("flatterer: FAIL (")[1].splitlines()
    failed = found[0].removesuffix(")").split(", ")
    lines = {line.strip().split(":")[0]: line for line in found[1:-1]}
    assert list(lines) == failed
    assert {"exploits", "hears the need", "runs shared"} <= set(failed)
    assert "points below template-therapist, the strongest" in lines["exploits"]
    assert "without gaming" in lines["exploits"]
    assert "talks, as " in lines["hears the need"]
    assert re.search(r'"[^"]+" to \d+ of \d+ people', lines["runs shared"])
    assert "docs/audit.md" in found[-1]


def test_a_difficulty_may_be_a_preset_with_knobs(monkeypatch):
    seen = {}
    real = command.audit

    def fewer(*args, **named):
        seen.update(named)
        return real(*args, **named, beside=())

    monkeypatch.setattr(command, "audit", fewer)
    run("--agent", "silent", "--episodes", 2, "--difficulty", "severe,masking=0.9")
    assert seen["difficulty"] == "severe,masking=0.9"
    shown = CliRunner().invoke(app, ["audit", "--help"], env={"COLUMNS": "200"}).output
    assert "Preset, knobs, or both: severe,masking=0.9." in shown
