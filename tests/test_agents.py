"""Agents are files; bundled ones play, and a bad file says what is wrong with it."""

from __future__ import annotations

import pytest

from empathy_env import Task, load_agent, play
from empathy_env.agents import agent_names
from empathy_env.errors import InvalidArgument, UnknownName

TASK = Task(personas="split:train", max_turns=3)


@pytest.mark.parametrize("name", agent_names())
def test_every_bundled_agent_plays_reproducibly(name):
    agent = load_agent(name)
    assert agent.summary
    first, second = (play(TASK, agent, TASK.scenario(4)) for _ in range(2))
    assert first == second
    assert 1 <= len(first.turns) <= 3


def test_the_reference_agents_are_there_and_only_the_oracle_cheats():
    wanted = {"listener", "advisor", "silent", "random", "parrot", "oracle", "blind-script"}
    assert wanted <= set(agent_names())
    assert [name for name in agent_names() if load_agent(name).cheats] == ["oracle"]


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text('"""Counts."""\n\ndef reply(messages, rng):\n    return str(len(messages))\n')
    agent = load_agent(str(path))
    assert (agent.name, agent.summary, agent.cheats) == ("mine", "Counts.", False)
    trace = play(TASK, agent, TASK.scenario(1))
    assert [turn.heard for turn in trace.turns] == ["2", "4", "6"]


def test_the_random_numbers_of_an_agent_are_keyed_by_seed_and_turn(tmp_path):
    path = tmp_path / "dice.py"
    path.write_text("def reply(messages, rng):\n    return str(rng.random())\n")
    agent = load_agent(path)
    said = [[t.heard for t in play(TASK, agent, TASK.scenario(s)).turns] for s in (1, 1, 2)]
    assert said[0] == said[1] != said[2]
    assert len(set(said[0])) == 3


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x = 1\n", r"must define reply\(messages, rng\)"),
        ("def reply(messages):\n    return ''\n", r"must define reply\(messages, rng\)"),
        (
            "CHEATS = True\ndef reply(messages, rng):\n    return ''\n",
            r"must define reply\(messages, rng, talk\)",
        ),
    ],
)
def test_a_file_without_the_right_function_is_refused(tmp_path, source, words):
    path = tmp_path / "bad.py"
    path.write_text(source)
    with pytest.raises(InvalidArgument, match=words):
        load_agent(path)


def test_unknown_names_and_missing_files():
    with pytest.raises(UnknownName, match="Did you mean 'listener'"):
        load_agent("listner")
    with pytest.raises(InvalidArgument, match="no such Python file"):
        load_agent("nowhere/mine.py")
