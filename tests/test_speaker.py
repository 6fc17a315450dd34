"""The template speaker answers what was said, in the persona's voice, and does not repeat itself."""

from __future__ import annotations

import pytest

from empathy_env import Persona, Scenario, Task, load_persona
from empathy_env.speaker import phrases

MAREK = load_persona("laid-off-engineer")
KIT = load_persona("dropped-friend")


def talk(persona, need, lines, seed):
    task = Task(persona=persona)
    episode = task.open(scenario=Scenario(persona=persona, need=need, seed=seed))
    for line in lines:
        if not episode.done:
            episode.say(line)
    return episode.trace


def test_asked_about_what_was_told_they_say_more_of_it():
    more = MAREK.facts[0].more
    for seed in range(30):
        trace = talk(MAREK, "absolution", ["What was in the box?"], seed)
        answer = trace.turns[0].answers[0]
        if answer.manner in ("guarded", "opens_up"):
            assert any(line in answer.reply for line in (*more, *phrases("unknown", "plain"))) or (
                answer.reply in MAREK.voice.lines.guarded
            )


def test_what_is_told_is_told_in_their_words():
    for seed in range(10):
        for turn in talk(MAREK, "absolution", ["What happened?"] * 4, seed).turns:
            for told in turn.answers[0].told:
                says = {f.id: f.says for f in (*MAREK.facts, *MAREK.needs[0].facts)}
                says |= {item.id: item.says for item in (*MAREK.feelings, *MAREK.beliefs)}
                assert says[told] in turn.answers[0].reply


def test_unwanted_advice_is_answered_as_advice():
    wanted = phrases("overadvised", "plain")
    for seed in range(12):
        answer = talk(MAREK, "absolution", ["You should write a list."], seed).turns[0].answers[0]
        if answer.manner == "hurt":
            assert any(line in answer.reply for line in wanted)


@pytest.mark.parametrize("line", ["", "You brought this on yourself.", "Anyway, cheer up!"])
def test_the_register_is_the_personas(line):
    for seed in range(8):
        for turn in talk(KIT, "deep_empathy", [line] * 5, seed).turns:
            assert turn.answers[0].reply == turn.answers[0].reply.lower()


def test_terse_people_say_less():
    def words(verbosity):
        data = MAREK.to_data()
        data["voice"]["verbosity"] = verbosity
        persona = Persona.parse(data)
        lines = ["You sound ashamed about the box. What was it like?"] * 6
        return sum(
            len(turn.answers[0].reply.split())
            for seed in range(12)
            for turn in talk(persona, "absolution", lines, seed).turns
        )

    assert words("terse") < words("medium") < words("talkative")


def test_whoever_is_well_says_so():
    from empathy_env import load_agent, play

    task, oracle = Task(persona=MAREK, difficulty="gentle"), load_agent("oracle")
    traces = [play(task, oracle, task.scenario(seed)) for seed in range(4)]
    won = [trace for trace in traces if trace.outcome == "success"]
    assert won
    for trace in won:
        assert any(
            trace.turns[-1].answers[0].reply.endswith(line) for line in MAREK.voice.lines.relieved
        )


def test_a_question_after_their_safety_gets_a_plain_answer():
    for persona, register in ((MAREK, "plain"), (KIT, "texting")):
        need = persona.needs[0].need
        for seed in range(8):
            answer = talk(persona, need, ["Are you thinking of hurting yourself?"], seed)
            answer = answer.turns[0].answers[0]
            if answer.manner in ("guarded", "opens_up", "tells"):
                assert any(line in answer.reply for line in phrases("unharmed", register)) or (
                    answer.manner == "tells"
                )
