"""`check_agent` accepts what is sound and rejects each broken agent."""

from __future__ import annotations

import pytest
from specimens_agents import SPECIMENS, chokes_on_silence, peeks

from empathy_env.agents import agent_names, load_agent
from empathy_env.backends import ScriptedBackend
from empathy_env.checks import check_agent
from empathy_env.checks.agents import LAWS
from empathy_env.errors import CheckFailed, UnknownName

NAMES = tuple(law.name for law in LAWS)


@pytest.mark.parametrize("name", agent_names())
def test_the_bundled_agents_keep_every_law_that_can_be_checked(name):
    report = check_agent(name, examples=6)
    assert report.laws == (("answers",) if load_agent(name).cheats else NAMES)


@pytest.mark.parametrize("agent", SPECIMENS, ids=lambda agent: agent.__name__)
def test_a_broken_agent_is_rejected_by_the_law_that_it_breaks(agent):
    with pytest.raises(CheckFailed) as failed:
        check_agent(agent)
    assert failed.value.law == SPECIMENS[agent]
    assert failed.value.dialogue.lstrip().startswith(("user:", "system:"))


def test_every_law_has_a_specimen():
    assert set(SPECIMENS.values()) == set(NAMES)


def test_the_shortest_talk_that_an_agent_cannot_answer_is_shown():
    with pytest.raises(CheckFailed, match="IndexError") as failed:
        check_agent(chokes_on_silence, laws=["answers"])
    assert failed.value.dialogue.endswith("user: ''")


def test_a_file_and_a_function_are_agents(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text('"""Patient."""\n\ndef reply(messages, rng):\n    return "Go on."\n')
    assert check_agent(path).subject == "agent mine"
    assert check_agent(lambda messages, rng: rng.choice(["Go on.", "Yes?"])).laws == NAMES
    with pytest.raises(UnknownName, match="listener"):
        check_agent("listner")


def test_a_model_is_asked_once_and_the_rest_is_noted():
    asked = []

    def answer(request):
        asked.append(request)
        return "Go on."

    report = check_agent(ScriptedBackend(answer))
    assert report.laws == ("answers",)
    assert len(asked) == 1
    assert all("asks a model" in note for note in report.notes)


def test_who_says_so_may_see_the_hidden_state(tmp_path):
    path = tmp_path / "seer.py"
    path.write_text(
        "CHEATS = True\n\ndef reply(messages, rng, talk):\n    return talk.room.scenario.need\n"
    )
    report = check_agent(path)
    assert report.laws == ("answers",)
    assert any("CHEATS = True" in note for note in report.notes)
    with pytest.raises(CheckFailed, match="where the hidden need is"):
        check_agent(peeks, laws=["visible"])
