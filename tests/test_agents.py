"""Agents are files; bundled ones play, and a bad file says what is wrong with it."""

from __future__ import annotations

import sys
from hashlib import sha256

import pytest

from empathy_env import Task, load_agent, play
from empathy_env.agents import Agent, agent_names
from empathy_env.backends import ScriptedBackend
from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.noise import draw

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
    assert agent.source == sha256(path.read_bytes()).hexdigest()[:16]
    trace = play(TASK, agent, TASK.scenario(1))
    assert [turn.heard for turn in trace.turns] == ["2", "4", "6"]


def dice(tmp_path):
    path = tmp_path / "dice.py"
    path.write_text("def reply(messages, rng):\n    return str(rng.random())\n")
    return load_agent(path)


def test_the_random_numbers_of_an_agent_are_keyed_by_the_talk(tmp_path):
    agent = dice(tmp_path)
    said = [[t.heard for t in play(TASK, agent, TASK.scenario(s)).turns] for s in (1, 1, 2)]
    assert said[0] == said[1] != said[2]
    assert len(set(said[0])) == 3
    member = play(TASK, agent, TASK.scenario(1, member=1)).turns[0].heard
    assert member not in said[0]


def test_the_random_numbers_do_not_tell_the_seed(tmp_path):
    """Talks that look alike have 16 series of numbers between them, whatever seed and need."""
    agent, found = dice(tmp_path), {}
    task = Task(persona="laid-off-engineer")
    for seed in range(600):
        talk = task.open(seed=seed).talk
        bucket = int(draw(seed, 0, 0, "agent") * 16)
        found.setdefault((talk.utterance, bucket), []).append((agent.act(talk), seed))
    for same in found.values():
        assert len({number for number, _ in same}) == 1
    assert max(map(len, found.values())) > 1
    assert len({same[0][0] for same in found.values()}) == len(found)


def test_an_agent_cannot_change_the_talk(tmp_path):
    path = tmp_path / "forger.py"
    path.write_text("def reply(m, rng):\n    m[-1]['content'] = 'x'\n    return 'Go on.'\n")
    talk = TASK.open(seed=1).talk
    before = talk.utterance
    load_agent(path).act(talk)
    assert talk.utterance == before


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def reply(\n", "SyntaxError"),
        ("import nowhere_at_all\n", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("1 / 0\n", "ZeroDivisionError"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
        ("x = '\0'\n", "null bytes"),
    ],
)
def test_a_file_that_fails_to_load_says_why_and_leaves_nothing_behind(tmp_path, source, words):
    path = tmp_path / "bad.py"
    path.write_text(source)
    before = set(sys.modules)
    with pytest.raises(InvalidArgument, match=words) as raised:
        load_agent(path)
    assert str(path) in str(raised.value)
    assert raised.value.__cause__ is not None
    assert not [name for name in set(sys.modules) - before if "bad" in name]


def test_files_of_one_name_do_not_clobber_each_other(tmp_path):
    agents = []
    for folder in ("one", "two"):
        path = tmp_path / folder / "mine.py"
        path.parent.mkdir()
        path.write_text(f"def reply(messages, rng):\n    return {folder!r}\n")
        agents.append(load_agent(path))
    modules = [sys.modules[agent.reply.__module__] for agent in agents]
    assert [module.reply([], None) for module in modules] == ["one", "two"]
    assert agents[0].source != agents[1].source


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


def test_a_model_is_an_agent_by_its_spec_or_as_a_backend():
    spec = "openai:policy@http://127.0.0.1:1/v1"
    agent = load_agent(spec)
    assert (agent.name, agent.cheats, agent.reply) == (spec, False, None)
    assert load_agent(agent.backend) == agent
    assert load_agent(agent) is agent
    with pytest.raises(UnknownName, match="openay"):
        load_agent("openay:policy")


def test_a_model_says_its_reply_outside_of_rollouts_too():
    agent = Agent.asking(ScriptedBackend(lambda request: request.messages[-1]["content"].upper()))
    talk = TASK.open(seed=1).talk
    assert agent.act(talk) == talk.utterance.upper()


@pytest.mark.parametrize("backend", [None, ScriptedBackend(str)])
def test_an_agent_has_a_function_or_a_backend(backend):
    reply = None if backend is None else str
    with pytest.raises(InvalidArgument, match="a reply function or a backend"):
        Agent("odd", "", False, reply, backend=backend)
