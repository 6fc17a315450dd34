import json

import pytest
from live import entry
from parts import say_by
from stub_server import StubServer
from typer.testing import CliRunner

from empathy_env import Task, write_traces
from empathy_env.__main__ import app
from empathy_env.commands import noise as noise_command


@pytest.fixture(scope="module")
def talks(tmp_path_factory):
    path = tmp_path_factory.mktemp("noise") / "talks.jsonl"
    traces = []
    for number, name in enumerate(("laid-off-engineer", "widower-allotment", "laid-off-engineer")):
        episode = Task(persona=name, max_turns=3).open(seed=number)
        while not episode.done:
            episode.say(say_by("good", episode.turn))
        traces.append(episode.trace)
    write_traces(path, traces)
    return path


def wavering(body):
    """Appraise by the seed: an open question, or nothing at all."""
    last = body["messages"][-1]["content"].rsplit('{"utterance": ', 1)[1]
    words = json.loads(last.removesuffix("}"))
    return json.dumps({"evidence": [entry(words)] if body["seed"] % 2 else []})


def run(*words):
    return CliRunner().invoke(app, ["noise", *map(str, words)])


def test_noise_of_a_live_user_and_its_agreement_with_code(talks):
    with StubServer(wavering) as stub:
        spec = f"openai:m@{stub.url}"
        result = run(talks, "--user", spec, "--user", "code", "--samples", 3, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert set(found["noise"]) == {spec}
    noise = found["noise"][spec]
    assert (noise["talks"], noise["samples"], noise["faults"]) == (3, 3, {})
    assert noise["turn_error"] > 0
    assert set(noise["by_turn"]) == {"1", "2", "3"}
    [pair] = found["agreement"]
    assert (pair["one"], pair["other"], pair["talks"]) == (spec, "code", 3)
    assert len(stub.calls) == 3 * 3 * 3


def test_the_tables_say_the_same(talks):
    with StubServer(wavering) as stub:
        result = run(talks, "--user", f"openai:m@{stub.url}", "--user", "code", "--samples", 2)
    assert result.exit_code == 0, result.output
    assert "noise floor of the terminal reward" in result.output
    assert "difference" in result.output


def test_faults_are_counted_and_told(talks):
    def failing_for_one(body):
        text = body["messages"][-1]["content"]
        return "" if "allotment" in text else wavering(body)

    with StubServer(failing_for_one) as stub:
        spec = f"openai:m@{stub.url}"
        result = run(talks, "--user", spec, "--samples", 2)
    assert "1 of 3 talks left out by faults: EmptyReply x1" in result.output


def test_a_talk_twice_is_refused_though_not_in_one_batch(talks, monkeypatch):
    monkeypatch.setattr(noise_command, "_AT_ONCE", 1)
    result = run(talks, talks, "--user", "code")
    assert result.exit_code == 1
    assert "two traces of the episode laid-off-engineer/" in str(result.exception)


def test_talks_in_which_the_agent_said_nothing_are_told(tmp_path):
    path = tmp_path / "talks.jsonl"
    said, silent = (Task(persona="laid-off-engineer").open(seed=seed) for seed in (1, 2))
    said.say("What was it like?")
    write_traces(path, [said.trace, silent.trace])
    with StubServer(wavering) as stub:
        result = run(path, "--user", f"openai:m@{stub.url}", "--samples", 2)
    assert result.exit_code == 0, result.output
    assert "1 of 2 talks left out: no turn of them was finished" in result.output


def test_a_user_that_could_appraise_nothing_is_an_exit_code(talks):
    with StubServer("") as stub:
        result = run(talks, "--user", f"openai:m@{stub.url}", "--samples", 2, "--json")
    assert result.exit_code == 1
    assert list(json.loads(result.stdout)["faults"].values()) == [{"EmptyReply": 3}]


def test_code_alone_has_no_noise_to_measure(talks):
    result = run(talks, "--user", "code")
    assert result.exit_code == 1
    assert "no noise to measure" in str(result.exception)


def test_a_user_twice_is_refused(talks):
    result = run(talks, "--user", "code", "--user", "code")
    assert result.exit_code == 1
    assert "each user is compared once" in str(result.exception)
